package shadow

// State is what a shadow is doing.
type State string

// The states of a shadow.
const (
	Offline State = "offline" // no connection
	Reading State = "reading" // the document is being read
	InStep  State = "in step" // all that is to be reported is in the cloud
	Behind  State = "behind"  // something is to be reported
)

// Status is a shadow at one moment.
type Status struct {
	State   State  `json:"state"`
	Version int64  `json:"version"`           // of the document, as far as it is known
	Problem string `json:"problem,omitempty"` // why the last request was in vain
}

// Status returns what the machine is doing.
func (m *Machine) Status() Status {
	st := Status{State: InStep, Version: m.version, Problem: m.problem}
	switch {
	case !m.online:
		st.State = Offline
	case !m.known:
		st.State = Reading
	case m.missing || m.patch() != nil:
		st.State = Behind
	}
	return st
}

// Status returns what each shadow is doing, by name.
func (s *Service) Status() map[string]Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]Status{}
	for _, x := range s.shadows {
		all[x.Shadow.Name] = x.m.Status()
	}
	return all
}

// Health adds the state of the shadows to /healthz: the classic one as "", the others under
// their names.
func (s *Service) Health(add func(key string, value any)) { add("shadow", s.Status()) }
