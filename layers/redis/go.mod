module github.com/wye-go/wye/layers/redis

go 1.26.0

require (
	github.com/redis/rueidis v1.0.79
	github.com/wye-go/wye v0.0.0
)

require (
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/ws v1.5.0 // indirect
	github.com/klauspost/compress v1.20.4 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/wye-go/wye => ../..
