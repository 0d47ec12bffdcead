package agent

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"sort"

	"pithings/api"
)

// report is what services show of themselves, put together: /healthz and /metrics. Both have
// been read by other programs since before there were services, so that the older ones stand
// where they stood; newer ones follow in the order of their start.
type report struct {
	services []registered
	version  string
	down     func() map[string]ServiceState
}

var (
	healthOrder  = []string{thingsName, linksName, clockName, flowsName}
	metricsOrder = []string{clockName, thingsName, linksName, flowsName, brokerName}
)

// routes are those of the report itself.
func (r *report) routes() []api.Route {
	health := http.HandlerFunc(r.serveHealth)
	return []api.Route{
		{Method: http.MethodGet, Path: "/healthz", For: api.Monitors, Doc: "show the state of the things, connections, queues, clock and flows", Handler: health, Gives: map[string]any{}},
		{Method: http.MethodGet, Path: "/api/v1/health", For: api.Monitors, Doc: "show the same as /healthz", Handler: health, Gives: map[string]any{}},
		{Method: http.MethodGet, Path: "/metrics", For: api.Monitors, Doc: "show the metrics in Prometheus' text format", Handler: http.HandlerFunc(r.serveMetrics), Media: "text/plain"},
	}
}

// ordered returns the services, those named first.
func (r *report) ordered(first []string) []registered {
	place := func(s registered) int {
		if i := slices.Index(first, s.Name()); i >= 0 {
			return i
		}
		return len(first)
	}
	all := slices.Clone(r.services)
	sort.SliceStable(all, func(i, j int) bool { return place(all[i]) < place(all[j]) })
	return all
}

// serveHealth answers with the state as JSON. The status is 200 whenever the agent
// answers: a missing camera is shown, it does not make the agent unhealthy.
func (r *report) serveHealth(w http.ResponseWriter, _ *http.Request) {
	var object bytes.Buffer
	add := func(key string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			text, _ = json.Marshal(map[string]string{"error": err.Error()})
		}
		sep := byte(',')
		if object.Len() == 0 {
			sep = '{'
		}
		name, _ := json.Marshal(key)
		object.WriteByte(sep)
		object.Write(append(append(name, ':'), text...))
	}
	for _, s := range r.ordered(healthOrder) {
		if s.health != nil {
			s.health.Health(add)
		}
	}
	if down := r.down(); down != nil {
		add("services", down)
	}
	object.WriteByte('}')
	var page bytes.Buffer
	if err := json.Indent(&page, object.Bytes(), "", "  "); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	page.WriteByte('\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(page.Bytes())
}

func (r *report) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	var m api.Metrics
	m.Family("pithings_build_info", "gauge", "The version that runs; always 1.")
	m.Sample(1, "version", r.version)
	for _, s := range r.ordered(metricsOrder) {
		if s.collect != nil {
			s.collect.Collect(&m)
		}
	}
	w.Header().Set("Content-Type", api.MetricsType)
	w.Header().Set("Cache-Control", "no-store")
	w.Write(m.Bytes())
}
