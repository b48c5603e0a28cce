package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestSVGIsWellFormed(t *testing.T) {
	f := Figure{Title: "A < B", Note: `"quoted" & more`, Panels: []Panel{
		{Title: "one", Goal: 1.1, Bars: []Bar{
			{Label: "floor", Mid: 1, Low: 1, High: 1, Text: "1.00"},
			{Label: "wye", Mid: 1.2, Low: 1.1, High: 1.5, Text: "1.20", Ours: true, Best: true},
		}},
		{Title: "two", Bars: []Bar{{Label: "slow", Mid: 20, Low: 18, High: 30, Text: "20.0"}}},
		{Title: "nothing", Bars: []Bar{{Label: "failed", Text: "-"}}},
	}}
	svg := f.SVG()
	d := xml.NewDecoder(strings.NewReader(svg))
	counts := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if start, ok := token.(xml.StartElement); ok {
			counts[start.Name.Local]++
		}
	}
	if counts["svg"] != 1 || counts["rect"] != 3 {
		t.Errorf("elements %v, want one svg and three bars", counts)
	}
	for _, want := range []string{"A &lt; B", "&amp; more", ourColour, goalColour, ">1.20<", `font-weight="700"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in\n%s", want, svg)
		}
	}
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("a coordinate that is not a number in\n%s", svg)
	}
}

func TestScale(t *testing.T) {
	for _, row := range []struct {
		low, high float64
		want      []float64
	}{
		{0.9, 1.9, []float64{1}},
		{0.7, 25, []float64{1, 2, 5, 10, 20}},
		{150, 30_000, []float64{1000, 10_000}},
		{0.5, 2e9, []float64{1, 1000, 1e6, 1e9}},
	} {
		got := scale{low: row.low, high: row.high}.round()
		if !slices.EqualFunc(got, row.want, func(a, b float64) bool { return a/b > 0.999 && a/b < 1.001 }) {
			t.Errorf("%v to %v: got %v, want %v", row.low, row.high, got, row.want)
		}
	}
	s := scale{low: 1, high: 100}
	for v, want := range map[float64]float64{0: 0, 1: 0, 10: barWidth / 2, 100: barWidth, 1e6: barWidth} {
		if got := s.at(v); got < want-0.01 || got > want+0.01 {
			t.Errorf("the bar of %v: got %v, want %v", v, got, want)
		}
	}
}

func TestEmptyFigure(t *testing.T) {
	if svg := (Figure{Title: "none"}).SVG(); !strings.Contains(svg, "none") {
		t.Errorf("got %s", svg)
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{0.5: "0.5", 1: "1", 200: "200", 1000: "1k", 25_000: "25k", 1e6: "1M"} {
		if got := short(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}
