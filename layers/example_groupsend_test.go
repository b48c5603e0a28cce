package layers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Article is one piece of news.
type Article struct {
	Title string `json:"title"`
}

// Published goes to everybody who reads the news.
var Published = protocol.EventType[Article]{Name: "news.published"}

// Reader is told of new articles.
type Reader struct{ consumer.Base }

// NewReader makes a Reader for each connection.
func NewReader(*consumer.Scope) *Reader { return &Reader{} }

func (r *Reader) published(ctx context.Context, c *consumer.Conn, a Article) error {
	return c.SendText(ctx, "new: "+a.Title)
}

// publish is plain HTTP, and has nothing to do with sockets.
func publish(w http.ResponseWriter, r *http.Request) {
	a := Article{Title: r.FormValue("title")}
	if err := layers.Default().GroupSend(r.Context(), "news", Published.New(a)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// Any code can send to consumers, here a handler of plain HTTP.
func ExampleLayer_GroupSend() {
	app := consumer.New(NewReader,
		consumer.Groups[*Reader]("news"),
		consumer.On(Published, (*Reader).published),
	)

	ann := connect(app)
	defer hangUp(ann)
	publish(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/publish?title=Rain", nil))
	fmt.Println(ann.Message().Text())
	// Output: new: Rain
}
