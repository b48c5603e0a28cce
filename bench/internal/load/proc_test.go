//go:build linux

package load

import (
	"os"
	"testing"
	"time"
)

func TestUsageGrows(t *testing.T) {
	first, err := readUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for {
		now, err := readUsage(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		used := now.since(first)
		if used.cpu < 0 || used.waiting < 0 || used.userTicks < 0 || used.sysTicks < 0 {
			t.Fatalf("negative: %+v", used)
		}
		if used.cpu > 100*time.Millisecond && used.userTicks+used.sysTicks >= 5 {
			return // reading has used that much itself
		}
		if used.cpu > 10*time.Second {
			t.Fatalf("the ticks stand still: %+v", used)
		}
	}
}

func TestRSS(t *testing.T) {
	rss, err := readRSS(os.Getpid())
	if err != nil || rss < 1<<20 || rss > 1<<36 {
		t.Errorf("got %d, %v", rss, err)
	}
	if _, err := readRSS(1 << 30); err == nil {
		t.Error("no error for a process that does not exist")
	}
}

func TestProcess(t *testing.T) {
	first, err := ReadProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	second, err := ReadProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	used := second.Since(first)
	if used.CPU <= 0 || used.CPU >= second.CPU || used.User() > used.CPU || used.RSS != second.RSS || used.Peak < used.RSS {
		t.Errorf("%+v since %+v is %+v", second, first, used)
	}
	if _, err := ReadProcess(1 << 30); err == nil {
		t.Error("no error for a process that does not exist")
	}
}
