// A module of its own, because fib needs a newer Go than Wye. The runner builds it with
// GOWORK=off and GOTOOLCHAIN=go1.27.3, and goes on without it where that fails.
module github.com/wye-go/wye/bench/peers/fib

go 1.27.3

require (
	github.com/lesismal/fib v1.7.0
	github.com/wye-go/wye/bench v0.0.0-00010101000000-000000000000
)

replace github.com/wye-go/wye/bench => ../../

replace github.com/wye-go/wye => ../../../
