package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/wye-go/wye/bench/internal/load"
)

// results is all that came of a bench.
type results struct {
	Conditions conditions `json:"conditions"`
	// LeftOut says why servers were not measured.
	LeftOut map[string]string `json:"left_out,omitempty"`
	// Stopped says when the bench was stopped by its limit of time.
	Stopped string    `json:"stopped,omitempty"`
	Runs    []outcome `json:"runs"`
}

// outcome is one run of a server in a scenario. It has an error or a result.
type outcome struct {
	Round    int         `json:"round"`
	Scenario string      `json:"scenario"`
	Server   string      `json:"server"`
	Error    string      `json:"error,omitempty"`
	Result   load.Result `json:"result"`
}

// conditions are what the figures depend on.
type conditions struct {
	Go       string            `json:"go"`
	System   string            `json:"system"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Commit   string            `json:"commit"`
	Rounds   int               `json:"rounds"`
	Seconds  float64           `json:"seconds"`  // of a run
	Versions map[string]string `json:"versions"` // of the peers, by server
}

// of returns the results of a server in a scenario, one for each round that went well.
func (r *results) of(scenario, server string) (rs []load.Result) {
	for i := range r.Runs {
		if at := &r.Runs[i]; at.Scenario == scenario && at.Server == server && at.Error == "" {
			rs = append(rs, at.Result)
		}
	}
	return rs
}

// get returns one value of each round of a server in a scenario.
func (r *results) get(scenario, server string, value func(*load.Result) float64) (vs []float64) {
	rs := r.of(scenario, server)
	for i := range rs {
		vs = append(vs, value(&rs[i]))
	}
	return vs
}

// ratios returns the ratios of two values, round by round, since a slow spell of the
// machine hits both. Rounds in which one is missing are left out.
func (r *results) ratios(scenario, server, baseScenario, baseServer string, value func(*load.Result) float64) (vs []float64) {
	base := map[int]float64{}
	for i := range r.Runs {
		if at := &r.Runs[i]; at.Scenario == baseScenario && at.Server == baseServer && at.Error == "" {
			base[at.Round] = value(&at.Result)
		}
	}
	for i := range r.Runs {
		at := &r.Runs[i]
		if at.Scenario == scenario && at.Server == server && at.Error == "" && base[at.Round] > 0 {
			vs = append(vs, value(&at.Result)/base[at.Round])
		}
	}
	return vs
}

// failures returns the first error of each server in a scenario.
func (r *results) failures() (lines []string) {
	seen := map[[2]string]bool{}
	for i := range r.Runs {
		at := &r.Runs[i]
		key := [2]string{at.Scenario, at.Server}
		if at.Error != "" && !seen[key] {
			seen[key] = true
			lines = append(lines, fmt.Sprintf("%s, %s: %s", at.Server, at.Scenario, at.Error))
		}
	}
	return lines
}

func (r *results) save(file string) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}

func loadResults(file string) (*results, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(results)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
