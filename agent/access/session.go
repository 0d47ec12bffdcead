package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"sync"
	"time"
)

// Sessions are in memory only: a restart ends them. There are few, of people, and the one that
// was idle longest ends for one more.
const (
	maxSessions = 32
	sessionIdle = 12 * time.Hour
	sessionLife = 7 * 24 * time.Hour
)

// secret is 256 random bits, as text.
func secret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Session is what a client with a session sends.
type Session struct {
	ID   string // its cookie
	CSRF string // its header with every change
}

// sessions are those that have begun. Their keys are hashes, so that a lookup says nothing of
// those that there are by the time that it takes.
type sessions struct {
	now func() time.Time

	mu  sync.Mutex
	all map[[sha256.Size]byte]*session
}

type session struct {
	csrf        string
	began, seen time.Time
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, all: map[[sha256.Size]byte]*session{}}
}

func (s *sessions) begin() Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	var oldest [sha256.Size]byte
	for k, one := range s.all {
		if one.over(now) {
			delete(s.all, k)
		} else if o := s.all[oldest]; o == nil || one.seen.Before(o.seen) {
			oldest = k
		}
	}
	if len(s.all) >= maxSessions {
		delete(s.all, oldest)
	}
	made := Session{ID: secret(), CSRF: secret()}
	s.all[sha256.Sum256([]byte(made.ID))] = &session{csrf: made.CSRF, began: now, seen: now}
	return made
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.seen) >= sessionIdle || now.Sub(s.began) >= sessionLife
}

// find returns the session of a cookie, which is no longer idle.
func (s *sessions) find(id string) (csrf string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(id))
	one := s.all[key]
	if one == nil {
		return "", false
	}
	now := s.now()
	if one.over(now) {
		delete(s.all, key)
		return "", false
	}
	one.seen = now
	return one.csrf, true
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(id)))
}

func (s *sessions) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.all)
}

// same compares secrets in a time that says nothing of them.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
