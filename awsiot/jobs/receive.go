package jobs

import "time"

// Receive takes a message on one of the filters' topics. An error says why it was of no use;
// messages for others are no error.
func (m *Machine) Receive(now time.Time, topic string, payload []byte) error {
	job, k, ok := parseTopic(m.o.Thing, topic)
	if !ok || !m.online {
		return nil
	}
	a, err := parse(k, m.o.Thing, payload)
	if err != nil {
		return err
	}
	if k == notifyNext {
		m.notified(a.Execution)
		return nil
	}
	f := m.flight
	if f == nil || a.ClientToken != f.token || job != "" && job != f.job.JobID {
		return nil
	}
	rejected := k == startRejected || k == getRejected || k == updRejected
	switch f.kind {
	case startNext:
		ok = k == startAccepted || k == startRejected
	case describe:
		ok = k == getAccepted || k == getRejected
	case update:
		ok = k == updAccepted || k == updRejected
	}
	if !ok {
		return nil
	}
	m.flight, m.cut = nil, 0
	if rejected {
		m.rejection(now, f, a)
		return nil
	}
	m.fails, m.problem = 0, ""
	switch f.kind {
	case startNext:
		m.ask = false
		m.next(now, a.Execution)
	case describe:
		m.check = false
		m.described(f, a.Execution)
	case update:
		m.acknowledged(now, f, a.State)
	}
	return nil
}

// notified looks for a job, or whether the present one is still to be done: the list of what
// is queued has another first entry.
func (m *Machine) notified(e *Execution) {
	switch {
	case m.job == nil:
		m.ask = m.ask || e != nil
	case e == nil || e.key() != m.job.key():
		m.check = true
	}
}

// next takes the answer to start-next.
func (m *Machine) next(now time.Time, e *Execution) {
	if m.job != nil && (e == nil || e.key() != m.job.key() || e.Status.Final()) {
		m.over(false)
	}
	if e == nil || e.Status.Final() {
		return
	}
	m.renewed = now
	if m.job != nil { // the same
		m.job.Version = e.Version
		return
	}
	job := *e
	job.Thing, job.Details = m.o.Thing, clean(e.Details)
	m.job, m.updated = &job, time.Time{}
	m.events = append(m.events, Event{Execution: job})
}

// over ends the job here. The next one is looked for.
func (m *Machine) over(reported bool) {
	m.events = append(m.events, Event{Execution: *m.job, Over: true, Reported: reported})
	m.job, m.report, m.check = nil, nil, false
}

// ended notes that the job is over in the cloud with a status.
func (m *Machine) ended(status Status) {
	m.over(m.report != nil && m.report.status == status)
	m.ask = true
}

// described takes how the job is in the cloud.
func (m *Machine) described(f *flight, e *Execution) {
	switch {
	case m.job == nil || m.job.key() != f.job:
	case e == nil || e.key() != f.job:
		m.ended(Removed)
	case e.Status.Final():
		m.ended(e.Status)
	default:
		m.job.Version = e.Version
	}
}

// acknowledged takes the answer to an update.
func (m *Machine) acknowledged(now time.Time, f *flight, st *state) {
	if m.job == nil || m.job.key() != f.job {
		return
	}
	m.renewed = now
	m.job.Version++
	if st != nil && st.Version > 0 {
		m.job.Version = st.Version
	}
	if f.report != nil && f.report.status.Final() {
		m.over(true)
		m.ask, m.asked = true, time.Time{}
		return
	}
	if m.report == f.report {
		m.report = nil
	}
}

// rejection handles a request that was not accepted.
func (m *Machine) rejection(now time.Time, f *flight, a message) {
	problem := "the cloud rejects " + string(f.kind) + " with " + short(a.Code) + ": " + short(a.Message)
	if f.kind == startNext || m.job == nil || m.job.key() != f.job {
		m.wait(now, problem)
		return
	}
	switch a.Code {
	case codeNotFound:
		m.ended(Removed)
	case codeVersion, codeTransition, codeTerminal:
		switch {
		case a.State != nil && a.State.Status.Final():
			m.ended(a.State.Status)
		case a.State != nil && a.State.Version > 0 && a.Code == codeVersion:
			m.wait(now, problem)
			m.job.Version = a.State.Version
		default:
			m.wait(now, problem)
			m.check = true
		}
	case codeJSON, codeRequest, codeTopic:
		switch r := m.report; {
		case r == nil || r != f.report:
		case r.status.Final():
			m.report = &report{status: r.status, details: r.details, bare: true}
		default:
			m.report = nil // the next progress may pass
		}
		m.wait(now, problem)
	default: // RequestThrottled, InternalError
		m.wait(now, problem)
	}
}
