// Package djangoauth finds out which user of Django opens a connection, from the session
// cookie of the handshake. Copy the folder into your program. It has two ways, and both
// are functions for router.Auth:
//
//	router.Use(urls, router.Auth(asker.User))  // NewAsker: Django is asked
//	router.Use(urls, router.Auth(reader.User)) // NewReader: the cookie is read
//
// An [Asker] passes the session cookie to a view of Django, which answers with the user.
// It works with every session engine and every authentication backend, and notices a
// logout, a changed password and a deactivated user within seconds. Each new connection
// costs a request, and nobody can connect while Django is down.
//
// A [Reader] verifies the cookie of Django's engine for signed cookies
// (django.contrib.sessions.backends.signed_cookies) itself. That takes microseconds, and
// works while Django is down. It needs SECRET_KEY, and it cannot notice what is only in
// Django's database; its documentation has the list.
//
// Both return nil, an anonymous user, for a request without a valid session: the consumer
// decides whether anonymous users may connect.
package djangoauth

import (
	"net/http"

	"github.com/wye-go/wye/protocol"
)

// User is a user of Django.
type User struct {
	ID   string `json:"id"`   // the primary key, as text
	Name string `json:"name"` // the name that others see
}

// maxCookie bounds the session cookies that are looked at, in bytes. Browsers keep no cookie
// with more than 4096.
const maxCookie = 4096

// sessionCookie returns the session cookie of a handshake, or "" if there is none that
// Django could have made. If the browser sends several of that name, because a parent
// domain has set one as well, it returns the last, which is the one that Django uses.
func sessionCookie(s *protocol.Scope, name string) string {
	cookies := (&http.Request{Header: s.Header()}).CookiesNamed(name)
	if len(cookies) == 0 {
		return ""
	}
	value := cookies[len(cookies)-1].Value
	if len(value) > maxCookie {
		return ""
	}
	return value
}
