// Package routing compares Wye's URLRouter with chi, http.ServeMux, httprouter and
// gorilla/mux, in one process and with the same routes:
//
//	go test ./internal/routing -run '^$' -bench . -benchtime 50ms
//
// What is measured begins with a request that is ready and ends where the
// application has read a parameter, if its route has one. For Wye that is
// protocol.NewScope and Open; the others' ServeHTTP gets a ResponseWriter that
// does nothing. What is not found is answered as each does by itself.
//
// BenchmarkRoutes is Wye beside the others, BenchmarkForms what the forms of
// Wye's routes cost. The names are keys and values, so that benchstat -col
// /server makes a table of them. There is no code here but tests.
package routing
