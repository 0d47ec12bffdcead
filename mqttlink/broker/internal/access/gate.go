package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"pithings/mqttlink/broker/passwd"
)

// Why a client is not let in.
var (
	ErrRefused = errors.New("wrong user name or password") // which, it does not say
	ErrBusy    = errors.New("too many attempts to log in")
	errNoName  = fmt.Errorf("the client gives no user name, and allow_anonymous is false: %w", ErrRefused)
)

// Checking a password takes memory (19 MiB) and up to seconds of a small processor,
// any client that asks for it. So passwords are checked one at a time, addresses and all
// together have a limited number of attempts, and a password that was right is
// remembered, as a MAC under a key that only this process has: clients that are
// known come back at once while others try.
const (
	burst     = 10               // attempts of an address, and
	refill    = 6 * time.Second  // the time after which it has another
	burstAll  = 40               // of all addresses together
	refillAll = time.Second      //
	maxAddrs  = 1024             // addresses remembered
	maxWait   = 15 * time.Second // for others' passwords to be checked
	maxWaiter = 16               // clients that wait
)

// Gate lets clients in.
type Gate struct {
	rules   Rules
	users   map[string]*user
	unknown passwd.Hash // that of an unknown user takes as long, so that names cannot be found by time
	key     [32]byte
	now     func() time.Time
	turn    chan struct{} // held while a password is checked
	waiters chan struct{}

	mu    sync.Mutex
	known map[string][32]byte // by user: MAC of the password that was right
	addrs map[string]*bucket
	all   bucket
}

// bucket counts attempts: those left at a time.
type bucket struct {
	left float64
	at   time.Time
}

// take uses an attempt if there is one.
func (b *bucket) take(now time.Time, burst float64, refill time.Duration) bool {
	if b.at.IsZero() {
		b.left = burst
	} else {
		b.left = min(burst, b.left+float64(now.Sub(b.at))/float64(refill))
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// NewGate returns the gate of some rules. A nil now is time.Now.
func NewGate(r Rules, now func() time.Time) (*Gate, error) {
	users, err := r.parse()
	if err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	g := &Gate{rules: r, users: users, now: now, turn: make(chan struct{}, 1), waiters: make(chan struct{}, maxWaiter),
		known: map[string][32]byte{}, addrs: map[string]*bucket{}}
	rand.Read(g.key[:])
	for _, u := range r.Users { // the first one's that has one
		if u.Hash != "" {
			g.unknown = users[u.Name].hash
			break
		}
	}
	return g, nil
}

// Login is what a client shows.
type Login struct {
	Client      string // its id
	Addr        string // without the port
	User        string
	HasUser     bool
	Password    string
	Certificate bool   // whether it has a verified one
	CommonName  string // of that
}

// Open returns the rights of a client, or ErrRefused or ErrBusy.
func (g *Gate) Open(ctx context.Context, l Login) (*Rights, error) {
	if l.Certificate && g.rules.Certificates {
		switch u := g.users[l.CommonName]; {
		case l.CommonName == "" || l.CommonName == Anonymous:
			return nil, fmt.Errorf("the certificate's common name is %q, which is no user: %w", l.CommonName, ErrRefused)
		case u != nil:
			return u.rights(l.CommonName, l.Client), nil
		case len(g.users) == 0:
			return All(l.CommonName), nil
		}
		return nil, fmt.Errorf("the certificate's common name %.64q is not one of the users: %w", l.CommonName, ErrRefused)
	}
	if !l.HasUser || l.User == "" {
		return g.anonymous(l)
	}
	if len(g.users) == 0 && g.rules.AllowAnonymous && !g.rules.Certificates {
		return All(""), nil // there are no users
	}
	u := g.users[l.User]
	if u == nil {
		u = &user{hash: g.unknown}
	}
	if err := g.check(ctx, u, l); err != nil {
		return nil, err
	}
	return u.rights(u.name, l.Client), nil
}

func (g *Gate) anonymous(l Login) (*Rights, error) {
	if !g.rules.AllowAnonymous {
		return nil, errNoName
	}
	if u := g.users[Anonymous]; u != nil {
		return u.rights("", l.Client), nil
	}
	return All(""), nil
}

// check compares a password.
func (g *Gate) check(ctx context.Context, u *user, l Login) error {
	mac := g.mac(u.name, l.Password)
	if g.remembers(u.name, mac) {
		return nil
	}
	if !g.attempt(l.Addr) {
		return ErrBusy
	}
	select {
	case g.waiters <- struct{}{}:
		defer func() { <-g.waiters }()
	default:
		return ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return ErrBusy
	}
	if g.remembers(u.name, mac) { // the same client, twice
		return nil
	}
	right := u.hash.Matches(l.Password)
	if u.hash.Memory() > 1<<20 {
		runtime.GC() // else the next one's memory comes on top of what this one has left
	}
	if !right || u.name == "" {
		return ErrRefused
	}
	g.mu.Lock()
	g.known[u.name] = mac
	g.mu.Unlock()
	return nil
}

func (g *Gate) mac(user, password string) (sum [32]byte) {
	h := hmac.New(sha256.New, g.key[:])
	h.Write([]byte(user + "\x00" + password)) // MQTT's strings hold no NUL
	h.Sum(sum[:0])
	return sum
}

func (g *Gate) remembers(user string, mac [32]byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	known, ok := g.known[user]
	return ok && hmac.Equal(known[:], mac[:])
}

// attempt reports whether an address may try a password now.
func (g *Gate) attempt(addr string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	b := g.addrs[addr]
	if b == nil {
		if len(g.addrs) >= maxAddrs {
			g.forget(now)
		}
		if len(g.addrs) >= maxAddrs {
			return false
		}
		b = &bucket{}
		g.addrs[addr] = b
	}
	return b.take(now, burst, refill) && g.all.take(now, burstAll, refillAll)
}

// forget drops the addresses that have all their attempts again.
func (g *Gate) forget(now time.Time) {
	for a, b := range g.addrs {
		if now.Sub(b.at) > burst*refill {
			delete(g.addrs, a)
		}
	}
}
