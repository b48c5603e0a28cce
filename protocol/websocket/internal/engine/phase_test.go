package engine

import (
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestLifeAdvances goes through phases in the orders in which the goroutines of a
// handshake can come to them.
func TestLifeAdvances(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at    testkit.Line
		steps []phase
		froms []phase
		end   phase
	}{
		{testkit.Here(), []phase{phaseAnswering, phaseAnswered, phaseReading}, []phase{phaseOpening, phaseAnswering, phaseAnswered}, phaseReading},
		{testkit.Here(), []phase{phaseAnswering, phaseReading, phaseAnswered}, []phase{phaseOpening, phaseAnswering, phaseReading}, phaseReading},
		{testkit.Here(), []phase{phaseAnswering, phaseClosing, phaseAnswered, phaseReading}, []phase{phaseOpening, phaseAnswering, phaseClosing, phaseClosing}, phaseClosing},
		{testkit.Here(), []phase{phaseAnswering, phaseAnswered, phaseClosed, phaseReading, phaseClosing}, []phase{phaseOpening, phaseAnswering, phaseAnswered, phaseClosed, phaseClosed}, phaseClosed},
		{testkit.Here(), []phase{phaseClosed, phaseReading}, []phase{phaseOpening, phaseClosed}, phaseClosed},
	}
	for _, row := range rows {
		var l life
		for i, to := range row.steps {
			if from := l.advance(to); from != row.froms[i] {
				t.Errorf("%s: step %d: from %d, want %d", row.at, i, from, row.froms[i])
			}
		}
		if l.phase() != row.end || l.closing() != (row.end >= phaseClosing) {
			t.Errorf("%s: ends in phase %d, closing %v, want %d", row.at, l.phase(), l.closing(), row.end)
		}
	}
}
