module github.com/wye-go/wye/bench

go 1.26.0

require (
	github.com/gobwas/ws v1.5.0
	github.com/wye-go/wye v0.0.0
	golang.org/x/sys v0.49.0
)

require (
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
)

replace github.com/wye-go/wye => ../
