package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxTokens  = 64
	maxName    = 64
	maxWaiting = 8 // passwords that wait for their turn
	// tokenPrefix makes tokens easy to find where they must not be.
	tokenPrefix = "pithings_"
)

// ErrBusy says that so many passwords are being checked that one more would wait too long.
var ErrBusy = errors.New("too many passwords are being checked: try again")

// ErrWrong says that a password is not the right one.
var ErrWrong = errors.New("wrong password")

// ErrNoPassword says that there is none.
var ErrNoPassword = errors.New("no password is set: set one with: pithings passwd")

// WaitError says that there were too many attempts.
type WaitError struct{ For time.Duration }

// Error says how long to wait.
func (e *WaitError) Error() string {
	return fmt.Sprintf("too many wrong passwords: wait %v", e.For.Round(time.Second))
}

// Door knows the password, the sessions and the tokens of an agent.
type Door struct {
	state    string
	now      func() time.Time
	attempts *attempts
	sessions *sessions
	waiting  chan struct{}
	turn     chan struct{} // one password is checked at a time

	mu    sync.RWMutex
	kept  kept
	fixed string // the hash of the configuration, which counts alone

	signing []byte // the key of signed addresses, once it is needed

	ends func() // see OnEnd
}

// OnEnd has call called when a session or a token has ended, but for those that end by themselves. It
// is called once, before the door is used; call returns at once.
func (d *Door) OnEnd(call func()) { d.ends = call }

func (d *Door) end() {
	if d.ends != nil {
		d.ends()
	}
}

// Open reads the credentials in a state folder, "" for none. If they cannot be read, the door is
// there and has none.
func Open(state string) (*Door, error) { return open(state, time.Now) }

func open(state string, now func() time.Time) (*Door, error) {
	d := &Door{state: state, now: now, attempts: newAttempts(now), sessions: newSessions(now),
		waiting: make(chan struct{}, maxWaiting), turn: make(chan struct{}, 1)}
	var err error
	d.kept, err = read(state)
	return d, err
}

// Fix makes a hash of the configuration the one that counts; "" is none. When the password
// changes by that, all sessions end.
func (d *Door) Fix(hash string) {
	d.mu.Lock()
	before := d.hash()
	d.fixed = hash
	changed := d.hash() != before
	d.mu.Unlock()
	if changed {
		d.sessions.endAll()
		d.end()
	}
}

// hash is that of the password, "" if none is set.
func (d *Door) hash() string {
	if d.fixed != "" {
		return d.fixed
	}
	return d.kept.PasswordHash
}

// PasswordSet reports whether there is a password.
func (d *Door) PasswordSet() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.hash() != ""
}

// ErrFixed says that the password is in the configuration.
var ErrFixed = errors.New("http.password_hash of the configuration sets the password: change it there, or remove it")

// SetPassword keeps the hash of another password, and ends all sessions.
func (d *Door) SetPassword(hash string) error {
	if err := CheckHash(hash); err != nil {
		return err
	}
	err := d.change(func(k *kept) error {
		if d.fixed != "" {
			return ErrFixed
		}
		k.PasswordHash = hash
		return nil
	})
	if err == nil {
		d.sessions.endAll()
		d.end()
	}
	return err
}

// change writes what f makes of the credentials.
func (d *Door) change(f func(*kept) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := kept{d.kept.PasswordHash, slices.Clone(d.kept.Tokens)}
	if err := f(&next); err != nil {
		return err
	}
	if err := write(d.state, next); err != nil {
		return err
	}
	d.kept = next
	return nil
}

// Login begins a session if the password is right. The attempts from an address have a limit, and
// so have those of all.
func (d *Door) Login(ctx context.Context, from netip.Prefix, password string) (Session, error) {
	d.mu.RLock()
	hash := d.hash()
	d.mu.RUnlock()
	if hash == "" {
		return Session{}, ErrNoPassword
	}
	a, err := parseHash(hash)
	if err != nil {
		return Session{}, err
	}
	select {
	case d.waiting <- struct{}{}:
		defer func() { <-d.waiting }()
	default:
		return Session{}, ErrBusy
	}
	if wait := d.attempts.take(from); wait > 0 {
		return Session{}, &WaitError{wait}
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return Session{}, context.Cause(ctx)
	}
	if len(password) > MaxPassword || !a.verify(password) {
		return Session{}, ErrWrong
	}
	d.attempts.forget(from)
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.hash() != hash { // changed meanwhile, when all sessions ended
		return Session{}, ErrWrong
	}
	return d.sessions.begin(), nil
}

// Session returns the role of a session's cookie, and whether csrf is its secret.
func (d *Door) Session(id, csrf string) (role Role, matches bool) {
	if id == "" {
		return None, false
	}
	want, ok := d.sessions.find(id)
	if !ok {
		return None, false
	}
	return Act, same(want, csrf)
}

// CSRF returns the secret that a session sends with every change, "" of none.
func (d *Door) CSRF(id string) string {
	csrf, _ := d.sessions.find(id)
	return csrf
}

// Logout ends a session.
func (d *Door) Logout(id string) {
	d.sessions.end(id)
	d.end()
}

// Token returns the role of a token that is sent from an address.
func (d *Door) Token(token string, from netip.Addr) Role {
	sum := sha256.Sum256([]byte(token))
	text, now := hex.EncodeToString(sum[:]), d.now()
	d.mu.RLock()
	i := slices.IndexFunc(d.kept.Tokens, func(t Token) bool { return same(t.SHA256, text) && t.allows(from) })
	if i < 0 {
		d.mu.RUnlock()
		return None
	}
	t := d.kept.Tokens[i]
	d.mu.RUnlock()
	role, _ := ParseRole(t.Role)
	if t.Used != today(now) {
		d.use(text, today(now))
	}
	return role
}

// TokenName returns the name of a token, whatever it may do; "": there is none.
func (d *Door) TokenName(token string) string {
	sum := sha256.Sum256([]byte(token))
	text := hex.EncodeToString(sum[:])
	d.mu.RLock()
	defer d.mu.RUnlock()
	for i := range d.kept.Tokens {
		if same(d.kept.Tokens[i].SHA256, text) {
			return d.kept.Tokens[i].Name
		}
	}
	return ""
}

func today(now time.Time) string { return now.UTC().Format(time.DateOnly) }

func (t *Token) allows(from netip.Addr) bool {
	return len(t.From) == 0 || slices.ContainsFunc(t.From, func(p netip.Prefix) bool { return p.Contains(from) })
}

// use notes on which day a token was used last: once a day, so that it costs the disk nothing. On
// one that cannot be written it is noted in memory.
func (d *Door) use(sum, day string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.kept.Tokens {
		if t := &d.kept.Tokens[i]; t.SHA256 == sum && t.Used != day {
			t.Used = day
			_ = write(d.state, d.kept)
		}
	}
}

// AddToken makes a token. Its secret is returned once and kept by no one.
func (d *Door) AddToken(name string, role Role, from []netip.Prefix) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	token := tokenPrefix + secret()
	sum := sha256.Sum256([]byte(token))
	return token, d.change(func(k *kept) error {
		switch {
		case role != Look && role != Act:
			return errors.New("a token has the role look or act")
		case slices.ContainsFunc(k.Tokens, func(t Token) bool { return t.Name == name }):
			return fmt.Errorf("there is a token %q already: revoke it first", name)
		case len(k.Tokens) >= maxTokens:
			return fmt.Errorf("there are %d tokens: revoke one first", maxTokens)
		}
		k.Tokens = append(k.Tokens, Token{Name: name, Role: role.String(), From: from, SHA256: hex.EncodeToString(sum[:]), Created: d.now().UTC().Truncate(time.Second)})
		return nil
	})
}

func checkName(name string) error {
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("name %.80q: a token's name has 1 to %d letters, digits and signs, without spaces", name, maxName)
	}
	return nil
}

// RevokeToken makes a token worth nothing.
func (d *Door) RevokeToken(name string) error {
	err := d.change(func(k *kept) error {
		n := len(k.Tokens)
		if k.Tokens = slices.DeleteFunc(k.Tokens, func(t Token) bool { return t.Name == name }); len(k.Tokens) == n {
			return fmt.Errorf("there is no token %.80q; pithings token list shows them", name)
		}
		return nil
	})
	d.end()
	return err
}

// Tokens lists the tokens, without their sums.
func (d *Door) Tokens() []Token {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := slices.Clone(d.kept.Tokens)
	for i := range all {
		all[i].SHA256 = ""
	}
	return all
}
