module github.com/wye-go/wye

go 1.26

require (
	github.com/gobwas/httphead v0.1.0
	github.com/gobwas/ws v1.5.0
)

require github.com/klauspost/compress v1.20.4
