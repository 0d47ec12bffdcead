package jobs

import "pithings/api"

// Health is what /healthz shows.
type Health struct {
	Job     string `json:"job,omitempty"`    // that is being done
	Action  string `json:"action,omitempty"` // its action
	Version int64  `json:"version,omitempty"`
	Problem string `json:"problem,omitempty"` // why the last request was in vain
	Last    any    `json:"last,omitempty"`    // the job before
}

// Status returns what the service is doing.
func (s *Service) Status() Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := Health{Problem: s.m.problem}
	if s.m.job != nil {
		h.Job, h.Version = s.m.job.JobID, s.m.job.Version
	}
	if s.running != nil {
		h.Action = short(s.running.saved.Action)
	}
	if s.last != nil {
		h.Last = *s.last
	}
	return h
}

// Health adds the state of the jobs to /healthz.
func (s *Service) Health(add func(key string, value any)) { add("jobs", s.Status()) }

// Collect adds the metrics of the jobs.
func (s *Service) Collect(m *api.Metrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Family("pithings_jobs_active", "gauge", "Jobs that are being done.")
	m.Sample(api.Bool(s.running != nil))
	m.Family("pithings_jobs_ended_total", "counter", "Jobs that were done, by what became of them. Those that the cloud has ended are not counted.")
	for _, status := range []Status{Succeeded, Failed, Rejected} {
		m.Sample(float64(s.ended[status]), "status", string(status))
	}
}
