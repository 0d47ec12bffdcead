package command

import (
	"bytes"
	"container/list"
	"encoding/hex"
	"sync"
	"time"

	"pithings/mqttlink/clock"
)

// What is kept of the sessions that have been.
const (
	MaxSessions = 1000
	KeepFor     = 24 * time.Hour
	// maxAnswers bounds the answers together, in bytes. Beyond, the oldest are dropped, but
	// not their session ids: what has run does not run again.
	maxAnswers = 1 << 20
	// maxWaiting bounds those who wait for one run.
	maxWaiting = 16
)

// place is where an answer goes, and with which quality of service: the request's.
type place struct {
	topic string
	qos   byte
}

// session is a command that has begun.
type session struct {
	id      string
	sum     sum
	at      int64   // as in entry
	answer  []byte  // nil while it runs
	saved   bool    // its beginning is in the journal
	waiting []place // while it runs
}

// sessions are those that are kept. The zero value has none and no journal.
type sessions struct {
	clock *clock.Clock // nil: this machine's clock is right

	mu      sync.Mutex
	order   list.List // of *session, in the order of their beginning
	byID    map[string]*list.Element
	answers int // bytes
	journal journal
}

// open reads what an earlier process has kept in a folder; "" keeps nothing over restarts. A
// session that had begun and has no answer is interrupted.
func (s *sessions) open(dir string) (interrupted, damaged int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal = journal{dir: dir}
	var content []byte
	if dir != "" {
		content, err = s.journal.read()
	}
	interrupted, damaged = s.load(content)
	return interrupted, damaged, err
}

// load replaces the sessions by those of a journal. mu is held.
func (s *sessions) load(content []byte) (interrupted, damaged int) {
	s.order.Init()
	s.byID, s.answers = map[string]*list.Element{}, 0
	damaged = parseJournal(content, func(e entry) {
		if e.Answer != "" {
			if el := s.byID[e.Session]; el != nil {
				s.end(el.Value.(*session), []byte(e.Answer))
			}
			return
		}
		var sum sum
		if n, err := hex.Decode(sum[:], []byte(e.Sum[:min(len(e.Sum), 2*len(sum))])); n == len(sum) && err == nil {
			s.add(&session{id: e.Session, sum: sum, at: e.At, saved: true})
		}
	})
	for el := s.order.Front(); el != nil; el = el.Next() {
		if one := el.Value.(*session); one.answer == nil {
			interrupted++
			s.end(one, answerOf(one.id, nil, fault(Interrupted, "the agent ended while this command ran. It may have had its effect, and does not run again; look, and send it with a new session-id if need be")))
		}
	}
	s.trim()
	return interrupted, damaged
}

// close ends the use of the file.
func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal.close()
}

// found is what join has found.
type found int

const (
	unknown  found = iota // there is no such session
	finished              // it has ended, with an answer
	running               // who asks waits for the same run
	reused                // its session id belongs to another request
)

// join looks for the session of a request. If it runs, it notes who waits for it.
func (s *sessions) join(r *request, to place) (found, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trim()
	el := s.byID[r.session]
	if el == nil {
		return unknown, nil
	}
	one := el.Value.(*session)
	switch {
	case one.sum != r.sum:
		return reused, nil
	case one.answer != nil:
		return finished, bytes.Clone(one.answer)
	}
	if len(one.waiting) < maxWaiting {
		one.waiting = append(one.waiting, to)
	}
	return running, nil
}

// enter adds a session that is to run. There is none with its id.
func (s *sessions) enter(r *request, to place) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := &session{id: r.session, sum: r.sum, waiting: []place{to}}
	if s.clock.Known() {
		one.at = s.clock.Now().UnixMilli()
	}
	s.add(one)
	return one
}

// begin saves that a session begins. After an error its answer is not saved either.
func (s *sessions) begin(one *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.saved = true
	err := s.save(entry{Session: one.id, Sum: hex.EncodeToString(one.sum[:]), At: one.at})
	if err != nil {
		one.saved = false
	}
	return err
}

// forget takes out a session that has not run, and returns who waits for it.
func (s *sessions) forget(one *session) []place {
	s.mu.Lock()
	defer s.mu.Unlock()
	if el := s.byID[one.id]; el != nil && el.Value == one {
		s.remove(el)
	}
	return one.waiting
}

// finish saves a session's answer, and returns who waits for it. With an error the answer is
// kept in memory only.
func (s *sessions) finish(one *session, answer []byte) ([]place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := one.waiting
	one.waiting = nil
	s.end(one, answer)
	s.trim()
	if !one.saved {
		return waiting, nil
	}
	return waiting, s.save(entry{Session: one.id, Answer: string(answer)})
}

// count is how many sessions are kept.
func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.order.Len()
}

// add, end, remove, trim, save and content are called with mu held.

func (s *sessions) add(one *session) {
	if el := s.byID[one.id]; el != nil { // twice in a file that was put together by hand
		s.remove(el)
	}
	s.byID[one.id] = s.order.PushBack(one)
}

func (s *sessions) end(one *session, answer []byte) {
	s.answers += len(answer) - len(one.answer)
	one.answer = answer
}

func (s *sessions) remove(el *list.Element) {
	one := s.order.Remove(el).(*session)
	delete(s.byID, one.id)
	s.answers -= len(one.answer)
}

// trim forgets sessions beyond MaxSessions and KeepFor, and drops answers beyond maxAnswers,
// the oldest first. One that runs is kept. One that began before the clock was known has no
// age.
func (s *sessions) trim() {
	oldest, known := s.clock.Now().Add(-KeepFor).UnixMilli(), s.clock.Known()
	for el := s.order.Front(); el != nil; {
		one, next := el.Value.(*session), el.Next()
		old := known && one.at != 0 && one.at < oldest
		switch {
		case one.answer == nil:
		case old || s.order.Len() > MaxSessions:
			s.remove(el)
		case s.answers > maxAnswers:
			if short := answerOf(one.id, nil, fault(AnswerDropped, "this command ran, and its answer is no longer kept")); len(short) < len(one.answer) {
				s.end(one, short)
			}
		}
		el = next
	}
}

func (s *sessions) save(e entry) error {
	if s.journal.dir == "" {
		return nil
	}
	return s.journal.append(e, s.content)
}

// content is the whole journal.
func (s *sessions) content() (b []byte) {
	for el := s.order.Front(); el != nil; el = el.Next() {
		one := el.Value.(*session)
		if !one.saved {
			continue
		}
		b = appendEntry(b, entry{Session: one.id, Sum: hex.EncodeToString(one.sum[:]), At: one.at})
		if one.answer != nil {
			b = appendEntry(b, entry{Session: one.id, Answer: string(one.answer)})
		}
	}
	return b
}
