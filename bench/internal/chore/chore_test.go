package chore

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for m, want := range map[string]time.Duration{
			"": 0, "01234567": 0, "01234567a": 0, "0123456Z7": 0, "01234567Z": SleepTime, "01234567Zx": SleepTime,
		} {
			start := time.Now()
			Do("sleep", []byte(m))
			Do("echo", []byte(m))
			if got := time.Since(start); got != want {
				t.Errorf("%q: slept %v, want %v", m, got, want)
			}
		}
	})
}

func TestBurnDoesTheSameWork(t *testing.T) {
	first := Burn()
	if second := Burn(); first != second {
		t.Errorf("got %d and then %d", first, second)
	}
	if n := testing.AllocsPerRun(10, func() { Do("work", nil) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// BenchmarkBurn shows how long the work is on this machine.
func BenchmarkBurn(b *testing.B) {
	for b.Loop() {
		Burn()
	}
}
