package access

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const right = "correct horse battery"

// cheap is the hash of right at the least cost, as another program may have made it.
func cheap() string {
	a := argon{memory: 8, time: 1, salt: []byte("12345678")}
	return "$argon2id$v=19$m=8,t=1,p=1$MTIzNDU2Nzg$" + encode(a.of(right, 32))
}

func doorAt(t *testing.T, dir string) *Door {
	t.Helper()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func host(i int) netip.Prefix {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 0x0A000000+uint32(i))
	return netip.PrefixFrom(netip.AddrFrom4(a), 32)
}

// From one address few passwords can be tried, and from all together not many more; a session
// lives through it.
func TestAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := doorAt(t, "")
		d.Fix(cheap())
		s, err := d.Login(t.Context(), host(0), right)
		if err != nil {
			t.Fatal(err)
		}
		tries := func(from func(int) netip.Prefix, n int) (checked int) {
			for i := range n {
				_, err := d.Login(t.Context(), from(i), "wrong password")
				if _, wait := errors.AsType[*WaitError](err); errors.Is(err, ErrWrong) {
					checked++
				} else if !wait {
					t.Fatal(err)
				}
			}
			return checked
		}
		one := func(int) netip.Prefix { return host(1) }
		if n := tries(one, 100); n != burstOne {
			t.Errorf("%d passwords were checked for one address at once", n)
		}
		if _, err := d.Login(t.Context(), host(2), right); err != nil {
			t.Errorf("another address: %v", err)
		}
		time.Sleep(pauseOne)
		if n := tries(one, 100); n != 1 {
			t.Errorf("%d passwords were checked after a pause", n)
		}
		time.Sleep(time.Hour)
		if n := tries(host, 10_000); n != burstAll {
			t.Errorf("%d passwords were checked for all addresses at once", n)
		}
		if n := len(d.attempts.by); n > burstAll {
			t.Errorf("%d addresses are remembered", n)
		}
		_, err = d.Login(t.Context(), host(3), right)
		if wait, ok := errors.AsType[*WaitError](err); !ok || wait.For > pauseAll {
			t.Errorf("a new login meanwhile: %v", err)
		}
		if role, csrf := d.Session(s.ID, s.CSRF); role != Act || !csrf {
			t.Error("the session was locked out")
		}
		time.Sleep(pauseAll)
		if _, err := d.Login(t.Context(), host(3), right); err != nil {
			t.Errorf("a new login after a pause: %v", err)
		}
	})
}

// One that knows the password is not held up by its own logins.
func TestRightPasswordsHaveNoLimit(t *testing.T) {
	d := doorAt(t, "")
	d.Fix(cheap())
	var all []Session
	for range 100 {
		s, err := d.Login(t.Context(), host(0), right)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	there := slices.DeleteFunc(all, func(s Session) bool { r, _ := d.Session(s.ID, s.CSRF); return r == None })
	if len(there) != maxSessions || len(d.sessions.all) != maxSessions {
		t.Errorf("there are %d sessions", len(there))
	}
}

// Few passwords wait for their turn, and a client that has gone does not.
func TestOnePasswordAtATime(t *testing.T) {
	d := doorAt(t, "")
	d.Fix(cheap())
	d.turn <- struct{}{} // one is being checked
	ctx, gone := context.WithCancel(t.Context())
	ended := make(chan error)
	for i := range maxWaiting {
		go func() {
			_, err := d.Login(ctx, host(i), right)
			ended <- err
		}()
	}
	for len(d.waiting) < maxWaiting {
		time.Sleep(time.Millisecond)
	}
	if _, err := d.Login(t.Context(), host(99), right); !errors.Is(err, ErrBusy) {
		t.Errorf("one more: %v", err)
	}
	gone()
	for range maxWaiting {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	<-d.turn
	if _, err := d.Login(t.Context(), host(99), right); err != nil {
		t.Error(err)
	}
}

// Password and tokens outlive the process, as hashes in files of the owner alone.
func TestCredentialsAreKept(t *testing.T) {
	dir := t.TempDir()
	d := doorAt(t, dir)
	if _, err := d.Login(t.Context(), host(0), ""); !errors.Is(err, ErrNoPassword) {
		t.Errorf("no password: %v", err)
	}
	hash, err := Hash(right)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetPassword(hash); err != nil {
		t.Fatal(err)
	}
	near, err := d.AddToken("near", Act, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddToken("near", Look, nil); err == nil {
		t.Error("two tokens have one name")
	}
	for _, name := range []string{"", "a b", "ü", strings.Repeat("x", 65)} {
		if _, err := d.AddToken(name, Look, nil); err == nil {
			t.Errorf("%q is a name", name)
		}
	}
	again := doorAt(t, dir)
	if _, err := again.Login(t.Context(), host(0), right); err != nil {
		t.Error(err)
	}
	for addr, want := range map[string]Role{"10.1.2.3": Act, "192.0.2.1": None} {
		if got := again.Token(near, netip.MustParseAddr(addr)); got != want {
			t.Errorf("token from %s: %v", addr, got)
		}
	}
	if used := doorAt(t, dir).Tokens()[0].Used; used != today(time.Now()) {
		t.Errorf("used %q", used)
	}
	text, err := os.ReadFile(fileIn(dir))
	if err != nil || strings.Contains(string(text), near) || strings.Contains(string(text), strings.TrimPrefix(near, tokenPrefix)) || strings.Contains(string(text), right) {
		t.Errorf("%v: %s", err, text)
	}
	if st, err := os.Stat(fileIn(dir)); err != nil || st.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if err := again.RevokeToken("near"); err != nil || again.Token(near, netip.MustParseAddr("10.1.2.3")) != None || again.RevokeToken("near") == nil {
		t.Errorf("revoked: %v", err)
	}
	for i := range maxTokens {
		if _, err := again.AddToken(host(i).String(), Look, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := again.AddToken("more", Look, nil); err == nil {
		t.Error("there may be any number of tokens")
	}
	// A file that is wrong opens nothing.
	for _, bad := range []string{"{", `{"password_hash": "x"}`, `{"tokens": [{"name": "x", "role": "act", "sha256": ""}]}`, `{"tokens": [{"name": "x", "role": "root"}]}`} {
		if err := os.WriteFile(fileIn(dir), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if d, err := Open(dir); err == nil || d.PasswordSet() || len(d.Tokens()) > 0 || !strings.Contains(err.Error(), filepath.Join(Folder, "credentials")) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// The configuration's password counts alone, and its change ends the sessions.
func TestFixedPassword(t *testing.T) {
	d := doorAt(t, t.TempDir())
	d.Fix(cheap())
	s, err := d.Login(t.Context(), host(0), right)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetPassword(cheap()); !errors.Is(err, ErrFixed) {
		t.Errorf("set beside: %v", err)
	}
	d.Fix(cheap())
	if role, _ := d.Session(s.ID, s.CSRF); role != Act {
		t.Error("the same hash ends sessions")
	}
	d.Fix("")
	if role, _ := d.Session(s.ID, s.CSRF); role != None || d.PasswordSet() {
		t.Error("the session outlives the password")
	}
}

// Hashes of other programs count if their cost is bounded.
func TestHashes(t *testing.T) {
	made, err := Hash(right)
	if err != nil || !strings.HasPrefix(made, "$argon2id$v=19$m=19456,t=2,p=1$") || CheckHash(made) != nil {
		t.Errorf("%s: %v", made, err)
	}
	a, err := parseHash(made)
	if err != nil || !a.verify(right) || a.verify(right+" ") {
		t.Error("the hash is of another password")
	}
	// The reference implementation: printf password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 24 -e
	a, err = parseHash("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	if err != nil || !a.verify("password") {
		t.Errorf("the vector of the reference implementation: %v", err)
	}
	for _, bad := range []string{
		"", "x", "$argon2i$v=19$m=8,t=1,p=1$MTIzNDU2Nzg$MTIzNDU2NzgxMjM0NTY3OA", "$argon2id$v=16$m=8,t=1,p=1$MTIzNDU2Nzg$MTIzNDU2NzgxMjM0NTY3OA",
		"$argon2id$v=19$m=65537,t=1,p=1$MTIzNDU2Nzg$MTIzNDU2NzgxMjM0NTY3OA", "$argon2id$v=19$m=8,t=11,p=1$MTIzNDU2Nzg$MTIzNDU2NzgxMjM0NTY3OA",
		"$argon2id$v=19$m=8,t=1,p=4$MTIzNDU2Nzg$MTIzNDU2NzgxMjM0NTY3OA", "$argon2id$v=19$m=8,t=0,p=1$MTIzNDU2Nzg$MTIzNDU2NzgxMjM0NTY3OA",
		"$argon2id$v=19$m=8,t=1,p=1$MTI$MTIzNDU2NzgxMjM0NTY3OA", "$argon2id$v=19$m=8,t=1,p=1$MTIzNDU2Nzg$MTI", "$argon2id$v=19$m=8,t=1,p=1x$MTIzNDU2Nzg$MTIzNDU2NzgxMjM0NTY3OA",
	} {
		if CheckHash(bad) == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	for _, bad := range []string{"", "1234567", strings.Repeat("x", MaxPassword+1)} {
		if _, err := Hash(bad); err == nil {
			t.Errorf("%.10q is a password", bad)
		}
	}
}

// A hash that cannot be read is no reason to fall.
func FuzzHash(f *testing.F) {
	f.Add(cheap())
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := parseHash(text); err == nil && (a.memory > maxMemory || a.time > maxTime || len(a.sum) > 64) {
			t.Errorf("%q", text)
		}
	})
}
