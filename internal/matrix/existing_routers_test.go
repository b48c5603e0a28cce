package matrix_test

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	echo4 "github.com/labstack/echo/v4"
	"github.com/labstack/echo/v5"

	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

func withChi(live *websocket.Server) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer, login)
	r.Post("/items/{item}", setPrice)
	r.Get("/live/{item}", live.ServeHTTP)                                          // new
	r.Get("/items/{item}", router.New(http.HandlerFunc(showItem), live).ServeHTTP) // a page and a socket
	return r
}

func withGin(live *websocket.Server) http.Handler {
	e := gin.New()
	e.Use(gin.Recovery(), ginLogin)
	e.POST("/items/:item", ginHandler(http.HandlerFunc(setPrice)))
	e.GET("/live/:item", ginHandler(live)) // new
	e.GET("/items/:item", func(c *gin.Context) {
		if live.Match(c.Request) { // a page and a socket
			ginHandler(live)(c)
			return
		}
		c.String(http.StatusOK, "a page about %s", c.Param("item"))
	})
	return e
}

func ginLogin(c *gin.Context) {
	if user, err := c.Cookie("user"); err == nil {
		c.Set("user", user)                                                                        // gin's handlers see this
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), userKey{}, user)) // and Wye this
	}
}

func withEcho(live *websocket.Server) http.Handler {
	e := echo.New()
	e.Use(echoLogin)
	e.POST("/items/:item", echo.WrapHandler(http.HandlerFunc(setPrice)))
	e.GET("/live/:item", echo.WrapHandler(live)) // new
	e.GET("/items/:item", func(c *echo.Context) error {
		if live.Match(c.Request()) { // a page and a socket
			return echo.WrapHandler(live)(c)
		}
		return c.String(http.StatusOK, "a page about "+c.Param("item"))
	})
	return e
}

func echoLogin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		if user, err := c.Cookie("user"); err == nil {
			c.Set("user", user.Value)                                                                              // echo's handlers see this
			c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), userKey{}, user.Value))) // and Wye this
		}
		return next(c)
	}
}

func withEcho4(live *websocket.Server) http.Handler {
	e := echo4.New()
	e.Use(echo4.WrapMiddleware(login))
	e.POST("/items/:item", echo4Handler(http.HandlerFunc(setPrice)))
	e.GET("/live/:item", echo4Handler(live)) // new
	e.GET("/items/:item", func(c echo4.Context) error {
		if live.Match(c.Request()) { // a page and a socket
			return echo4Handler(live)(c)
		}
		return c.String(http.StatusOK, "a page about "+c.Param("item"))
	})
	return e
}
