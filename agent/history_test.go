package agent

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/history"
	"pithings/spool/control"
)

const withHistory = twoThings + "history: {enabled: true}\n"

// lastHour asks the agent for a quantity.
func (l *lab) lastHour(thing, quantity string, csv bool) (string, error) {
	l.t.Helper()
	now := time.Now()
	answer, err := AskHistory(l.t.Context(), l.client(), thing, quantity, history.Query{From: now.Add(-time.Hour), To: now.Add(time.Second), Points: 60}, csv)
	if err != nil {
		return "", err
	}
	defer answer.Close()
	text, err := io.ReadAll(answer)
	return string(text), err
}

// What the things measure is kept when the configuration says so, and from the reload that says
// so on, what is on or off, too. After the agent has ended its files have all of it.
func TestHistory(t *testing.T) {
	r := newReloader(t, twoThings)
	var answer *control.AnswerError
	if _, err := r.lastHour("bme680", "temperature", false); !errors.As(err, &answer) || answer.Status != http.StatusNotFound || !strings.Contains(err.Error(), "history: {enabled: true}") {
		t.Errorf("while it is off: %v", err)
	}
	r.mustReload(withHistory)
	readings := func() (n float64) {
		text, err := r.lastHour("bme680", "temperature", false)
		if errors.As(err, &answer) && answer.Status == http.StatusNotFound {
			return 0 // not yet
		}
		var a history.Answer
		if err := errors.Join(err, json.Unmarshal([]byte(text), &a)); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if a.Unit != "°C" || len(a.Times) == 0 || a.Mean[0] == nil || *a.Mean[0] < 10 || *a.Mean[0] > 40 {
			t.Fatalf("%s", text)
		}
		return float64(len(a.Times))
	}
	r.until("a reading", func() bool { return readings() > 0 })
	text, err := r.lastHour("bme680", "temperature", true)
	if err != nil || !strings.HasPrefix(text, "time,min,mean,max,n\r\n20") {
		t.Errorf("%v: %s", err, text)
	}
	r.move()
	all, err := AskHistories(t.Context(), r.client())
	names := map[string]bool{}
	for _, l := range all {
		names[l.String()] = l.Current
	}
	if err != nil || len(all) != 5 || !names["TG_MS.motion"] || !names["bme680.humidity"] || !names["bme680.pressure"] || !names["bme680.gas"] {
		t.Errorf("%+v, %v", all, err)
	}
	for _, path := range []string{"/bme680/colour", "/nothing/temperature"} {
		if err := r.client().Do(t.Context(), http.MethodGet, historyPath+path, nil, nil); !errors.As(err, &answer) || answer.Status != http.StatusNotFound {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, query := range []string{"?points=0.5", "?points=100000", "?points=-1", "?from=tomorrow", "?from=0&to=0", "?to=1e99"} {
		for _, path := range []string{"/bme680/temperature", "/bme680/temperature/history.csv"} {
			if err := r.client().Do(t.Context(), http.MethodGet, historyPath+path+query, nil, nil); !errors.As(err, &answer) || answer.Status != http.StatusBadRequest {
				t.Errorf("%s: %v", path+query, err)
			}
		}
	}
	if page := string(r.get("http://" + r.agent.WebAddr() + "/metrics")); !strings.Contains(page, "pithings_history_quantities 5\n") || !strings.Contains(page, "pithings_history_failing 0\n") {
		t.Errorf("metrics: %s", page)
	}
	if page := string(r.get("http://" + r.agent.WebAddr() + "/healthz")); !strings.Contains(page, `"history"`) {
		t.Errorf("healthz: %s", page)
	}
	r.mustReload(twoThings)
	if _, err := r.lastHour("bme680", "temperature", false); !errors.As(err, &answer) || answer.Status != http.StatusNotFound {
		t.Errorf("after it was switched off: %v", err)
	}
	if page := string(r.get("http://" + r.agent.WebAddr() + "/metrics")); strings.Contains(page, "pithings_history") {
		t.Errorf("metrics while it is off: %s", page)
	}
	dir := filepath.Join(r.folder, "history")
	files, err := history.List(dir)
	if err != nil || len(files) != 5 {
		t.Fatalf("%+v, %v", files, err)
	}
	found, err := history.Find(files, "bme680", "temperature")
	if err != nil {
		t.Fatal(err)
	}
	f, err := history.OpenFile(dir, found.File)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var csv strings.Builder
	now := time.Now()
	if err := f.WriteCSV(&csv, history.Query{From: now.Add(-time.Hour), To: now.Add(time.Second), Now: now}); err != nil || strings.Count(csv.String(), "\n") < 2 {
		t.Errorf("%v: %s", err, &csv)
	}
}
