// Package plot draws bar charts as SVG files, in colours that can be read on a light and
// on a dark page.
package plot

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Bar is one value and its spread.
type Bar struct {
	Label          string
	Mid, Low, High float64
	// Text is the value as it is written beside the bar.
	Text string
	// Ours are the bars in the accent colour; Best is written in bold.
	Ours, Best bool
}

// Panel is one chart.
type Panel struct {
	Title string
	Bars  []Bar
	// Goal is drawn as a dashed line. 0 means none.
	Goal float64
}

// legend is what the note of every figure ends with.
const legend = "Logarithmic. Blue: Wye. Bold: the best, the floor apart."

// Figure is some charts with one scale, which is logarithmic. The Note is followed by a
// legend.
type Figure struct {
	Title, Note string
	Panels      []Panel
}

// Sizes, in pixels. Labels, bars and values stand in three columns of a panel.
const (
	columns     = 2
	panelWidth  = 430
	margin      = 14
	labelWidth  = 104
	barWidth    = 200
	rowHeight   = 18
	barHeight   = 11
	titleHeight = 52 // of the figure, with its note
	headHeight  = 26 // of a panel
	footHeight  = 26 // of a panel: the scale
)

// Colours with enough contrast on white and on black.
const (
	textColour = "#7d8590"
	lineColour = "#7d859055"
	peerColour = "#8b949e"
	ourColour  = "#2f81f7"
	goalColour = "#bf8700"
)

// SVG returns the figure as a file.
func (f Figure) SVG() string {
	s := f.scale()
	var body strings.Builder
	y := titleHeight
	for row := 0; row < len(f.Panels); row += columns {
		height := 0
		for i, p := range f.Panels[row:min(row+columns, len(f.Panels))] {
			p.draw(&body, s, i*panelWidth+margin, y)
			height = max(height, p.height())
		}
		y += height
	}
	width := min(len(f.Panels), columns)*panelWidth + margin
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" `, width, y)
	fmt.Fprintf(&out, `role="img" aria-label="%s">`+"\n", html.EscapeString(f.Title))
	fmt.Fprintf(&out, `<g font-family="-apple-system,Segoe UI,Helvetica,Arial,sans-serif" font-size="11" fill="%s">`+"\n", textColour)
	text(&out, margin, 20, `font-size="15" font-weight="600"`, f.Title)
	text(&out, margin, 38, "", strings.TrimSpace(f.Note+" "+legend))
	out.WriteString(body.String())
	out.WriteString("</g>\n</svg>\n")
	return out.String()
}

func (p Panel) height() int { return headHeight + len(p.Bars)*rowHeight + footHeight }

// draw draws the panel with its upper left corner at x and y.
func (p Panel) draw(out *strings.Builder, s scale, x, y int) {
	text(out, x, y+15, `font-size="12" font-weight="600"`, p.Title)
	left, top := x+labelWidth, y+headHeight
	bottom := top + len(p.Bars)*rowHeight
	for _, tick := range s.ticks {
		at := float64(left) + s.at(tick)
		line(out, at, float64(top), at, float64(bottom), lineColour, "")
		text(out, int(at), bottom+13, `text-anchor="middle" font-size="10"`, short(tick))
	}
	for i, b := range p.Bars {
		b.draw(out, s, x, top+i*rowHeight)
	}
	if p.Goal > 0 {
		at := float64(left) + s.at(p.Goal)
		line(out, at, float64(top-4), at, float64(bottom), goalColour, ` stroke-dasharray="3 2" stroke-width="1.5"`)
	}
}

func (b Bar) draw(out *strings.Builder, s scale, x, y int) {
	colour, weight := peerColour, ""
	if b.Ours {
		colour = ourColour
	}
	if b.Best {
		weight = ` font-weight="700"`
	}
	left, middle := float64(x+labelWidth), float64(y)+rowHeight/2
	text(out, x+labelWidth-6, y+13, `text-anchor="end"`+weight, b.Label)
	if b.Mid > 0 {
		fmt.Fprintf(out, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" rx="2" fill="%s"/>`+"\n",
			left, middle-barHeight/2.0, max(s.at(b.Mid), 1), barHeight, colour)
		line(out, left+s.at(b.Low), middle, left+s.at(b.High), middle, textColour, ` stroke-width="2"`)
	}
	text(out, x+labelWidth+barWidth+8, y+13, strings.TrimSpace(weight), b.Text)
}

func text(out *strings.Builder, x, y int, attributes, s string) {
	if attributes != "" {
		attributes = " " + attributes
	}
	fmt.Fprintf(out, `<text x="%d" y="%d"%s>%s</text>`+"\n", x, y, attributes, html.EscapeString(s))
}

func line(out *strings.Builder, x1, y1, x2, y2 float64, colour, more string) {
	fmt.Fprintf(out, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"%s/>`+"\n", x1, y1, x2, y2, colour, more)
}

// scale maps values to pixels of a bar.
type scale struct {
	low, high float64
	ticks     []float64
}

// scale returns a scale that all values of the figure fit in.
func (f Figure) scale() scale {
	low, high := math.Inf(1), math.Inf(-1)
	see := func(v float64) {
		if v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	for _, p := range f.Panels {
		see(p.Goal)
		for _, b := range p.Bars {
			see(b.Low)
			see(b.Mid)
			see(b.High)
		}
	}
	if low > high {
		low, high = 1, 1
	}
	s := scale{low: low / 1.5, high: high * 1.1}
	return scale{s.low, s.high, s.round()}
}

// maxTicks is how many labels fit below a bar.
const maxTicks = 6

// round returns round values within the scale: 1, 2, 5, 10, ..., or powers of ten or of a
// thousand if those are too many.
func (s scale) round() []float64 {
	for _, steps := range [][]float64{{1, 2, 5, 10}, {1, 10}, {1, 1000}} {
		if ticks := s.multiples(steps); len(ticks) <= maxTicks {
			return ticks
		}
	}
	return nil
}

// multiples returns the multiples of steps within the scale; the last step is the factor
// to the next row of them.
func (s scale) multiples(steps []float64) (ticks []float64) {
	factor := steps[len(steps)-1]
	for unit := 1e-9; unit <= s.high; unit *= factor {
		for _, m := range steps[:len(steps)-1] {
			if v := m * unit; v >= s.low && v <= s.high {
				ticks = append(ticks, v)
			}
		}
	}
	return ticks
}

// at returns how long the bar of a value is.
func (s scale) at(v float64) float64 {
	if v <= s.low {
		return 0
	}
	return barWidth * min(math.Log(v/s.low)/math.Log(s.high/s.low), 1)
}

// short writes a number in a few letters.
func short(v float64) string {
	switch {
	case v >= 0.9995e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 0.9995e3:
		return fmt.Sprintf("%.3gk", v/1e3)
	default:
		return fmt.Sprintf("%.3g", v)
	}
}
