package provision

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/mqttlink"
)

// claimFiles makes the files of a claim.
func claimFiles(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"claim.crt", "claim.key"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("claim"), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// run is one run of the command.
func run(ctx context.Context, state string, r Request, d disk, l Link) (*Device, error) {
	p, err := begin(state, d)
	if err != nil {
		return nil, err
	}
	defer p.End()
	return p.Run(ctx, r, l)
}

// whole checks what a run leaves: an identity with all its files and modes, and nothing else.
func whole(t *testing.T, state string, d *Device, claims []string) {
	t.Helper()
	again, err := Identity(state)
	if err != nil || again.Thing != d.Thing || again.Endpoint != "mqtts://h" || string(again.Configuration) == "" {
		t.Errorf("on the disk is %+v, %v", again, err)
	}
	for _, name := range []string{KeyFile, CertFile, CAFile, AboutFile} {
		info, err := os.Stat(filepath.Join(state, Folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %o", name, info.Mode().Perm())
		}
	}
	for _, gone := range append(claims, filepath.Join(state, Pending), filepath.Join(state, Folder, journalFile)) {
		if _, err := os.Stat(gone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there (%v)", gone, err)
		}
	}
}

func request1(claims []string, awsKey bool) Request {
	return Request{Template: "fleet", Parameters: map[string]string{"SerialNumber": "7"}, AWSMakesKey: awsKey, Endpoint: "mqtts://h", CA: []byte("ca\n"), Claim: claims}
}

func ways(t *testing.T, f func(t *testing.T, awsKey, once bool)) {
	for _, awsKey := range []bool{false, true} {
		for _, once := range []bool{false, true} {
			t.Run(fmt.Sprintf("key of AWS %t, token once %t", awsKey, once), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { f(t, awsKey, once) })
			})
		}
	}
}

func TestProvision(t *testing.T) {
	ways(t, func(t *testing.T, awsKey, once bool) {
		c, state, claims := newCloud(t), t.TempDir(), claimFiles(t)
		c.once = once
		l := c.dial()
		d, err := run(t.Context(), state, request1(claims, awsKey), realDisk{}, l)
		if err != nil {
			t.Fatal(err)
		}
		if d.Thing != "pi-7" || string(d.Configuration) != "{\n    \"site\": \"hall\"\n  }" && string(d.Configuration) != `{"site":"hall"}` {
			t.Errorf("%+v", d.About)
		}
		if err := c.one(d); err != nil {
			t.Error(err)
		}
		whole(t, state, d, claims)
		sent := l.Published("$aws/#")
		if len(sent) != 2 {
			t.Errorf("%d requests", len(sent))
		}
		for _, m := range sent {
			if m.QoS != 1 || strings.Contains(string(m.Payload), "PRIVATE KEY") {
				t.Errorf("published %+v", m)
			}
		}
		if _, err := begin(state, realDisk{}); !errors.Is(err, ErrThere) || !strings.Contains(err.Error(), "pi-7") {
			t.Errorf("once more: %v", err)
		}
	})
}

// The requests are as the contract has them, and are sent when the answers are subscribed to.
func TestRequests(t *testing.T) {
	c, state := newCloud(t), t.TempDir()
	l := c.dial()
	if _, err := run(t.Context(), state, request1(nil, false), realDisk{}, l); err != nil {
		t.Fatal(err)
	}
	got := l.Transcript()
	if len(got) != 2 || !strings.HasPrefix(got[0], `$aws/certificates/create-from-csr/json {"certificateSigningRequest":"-----BEGIN CERTIFICATE REQUEST-----\n`) ||
		got[1] != `$aws/provisioning-templates/fleet/provision/json {"certificateOwnershipToken":"token-1","parameters":{"SerialNumber":"7"}}` {
		t.Errorf("%q", got)
	}
}

// Whichever message the network loses, the run ends well by itself. Only where AWS makes the keys and
// takes a token once, the loss of its last answer leaves an active certificate whose key no machine
// has.
func TestAnyMessageIsLost(t *testing.T) {
	ways(t, func(t *testing.T, awsKey, once bool) {
		for n := 1; n <= 4; n++ {
			c, state, claims := newCloud(t), t.TempDir(), claimFiles(t)
			c.once = once
			c.lose = func(at int, _ string) bool { return at == n }
			d, err := run(t.Context(), state, request1(claims, awsKey), realDisk{}, c.dial())
			if err != nil {
				t.Fatalf("message %d is lost: %v", n, err)
			}
			if err := c.one(d); err != nil && !(awsKey && once) {
				t.Errorf("message %d is lost: %v", n, err)
			}
			whole(t, state, d, claims)
		}
	})
}

// Wherever the process is killed between two messages, the next run ends well: one thing, one key.
func TestKilledBetweenAnyMessages(t *testing.T) {
	ways(t, func(t *testing.T, awsKey, once bool) {
		for n := 1; n <= 4; n++ {
			c, state, claims := newCloud(t), t.TempDir(), claimFiles(t)
			c.once = once
			ctx, kill := context.WithCancel(t.Context())
			c.lose = func(at int, _ string) bool {
				if at == n {
					kill()
				}
				return at == n
			}
			if d, err := run(ctx, state, request1(claims, awsKey), realDisk{}, c.dial()); err == nil {
				t.Fatalf("killed at message %d: %+v", n, d)
			}
			if _, err := Identity(state); !errors.Is(err, ErrNone) {
				t.Errorf("killed at message %d: there is an identity (%v)", n, err)
			}
			for _, file := range claims {
				if _, err := os.Stat(file); err != nil {
					t.Errorf("killed at message %d: the claim is gone: %v", n, err)
				}
			}
			c.lose = nil
			d, err := run(t.Context(), state, request1(claims, awsKey), realDisk{}, c.dial())
			if err != nil {
				t.Fatalf("after a kill at message %d: %v", n, err)
			}
			if err := c.one(d); err != nil && !(awsKey && once) {
				t.Errorf("after a kill at message %d: %v", n, err)
			}
			whole(t, state, d, claims)
		}
	})
}

// failing is a disk that fails at its n-th call and all later ones, as for a process that is killed
// there: before the call, or after it.
type failing struct {
	n     int
	after bool
	calls int
}

var errKilled = errors.New("killed")

func (f *failing) do(call func() error) error {
	f.calls++
	switch {
	case f.calls > f.n, f.calls == f.n && !f.after:
		return errKilled
	case f.calls == f.n:
		return errors.Join(call(), errKilled)
	}
	return call()
}

func (f *failing) Replace(name string, data []byte) error {
	return f.do(func() error { return realDisk{}.Replace(name, data) })
}
func (f *failing) Rename(from, to string) error {
	return f.do(func() error { return realDisk{}.Rename(from, to) })
}
func (f *failing) Erase(name string) error {
	return f.do(func() error { return realDisk{}.Erase(name) })
}

// Wherever the power fails between two writes, there is no half identity, and the next run ends
// well with the key of the first one.
func TestCutBetweenAnyWrites(t *testing.T) {
	ways(t, func(t *testing.T, awsKey, once bool) {
		cuts := 0
		for n := 1; ; n++ {
			done := false
			for _, after := range []bool{false, true} {
				c, state, claims := newCloud(t), t.TempDir(), claimFiles(t)
				c.once = once
				_, err := run(t.Context(), state, request1(claims, awsKey), &failing{n: n, after: after}, c.dial())
				if err == nil {
					done = true
					break
				}
				cuts++
				if !errors.Is(err, errKilled) {
					t.Fatalf("call %d: %v", n, err)
				}
				key, _ := os.ReadFile(filepath.Join(state, Pending, KeyFile))
				d, err := Identity(state)
				if errors.Is(err, ErrNone) {
					d, err = run(t.Context(), state, request1(claims, awsKey), realDisk{}, c.dial())
				}
				if err != nil {
					t.Fatalf("after call %d: %v", n, err)
				}
				if now, _ := os.ReadFile(d.Key()); !awsKey && key != nil && string(now) != string(key) {
					t.Errorf("call %d: the key is another one", n)
				}
				if err := c.one(d); err != nil && !(awsKey && once) {
					t.Errorf("call %d: %v", n, err)
				}
				whole(t, state, d, claims)
			}
			if done {
				break
			}
		}
		if cuts < 16 {
			t.Errorf("only %d places were tried", cuts)
		}
	})
}

// A run that was cut off for longer than a token lives begins with another certificate, for the
// same key.
func TestTokenHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, state := newCloud(t), t.TempDir()
		ctx, kill := context.WithCancel(t.Context())
		c.lose = func(at int, topic string) bool {
			if strings.Contains(topic, "provision/json") {
				kill()
			}
			return ctx.Err() != nil
		}
		if _, err := run(ctx, state, request1(nil, false), realDisk{}, c.dial()); err == nil {
			t.Fatal("it was not killed")
		}
		key, err := os.ReadFile(filepath.Join(state, Pending, KeyFile))
		if err != nil {
			t.Fatal(err)
		}
		c.tokens["token-1"].expired, c.lose = true, nil
		d, err := run(t.Context(), state, request1(nil, false), realDisk{}, c.dial())
		if err != nil {
			t.Fatal(err)
		}
		now, _ := os.ReadFile(d.Key())
		if d.CertificateID != "cert-2" || string(now) != string(key) {
			t.Errorf("certificate %s, same key %t", d.CertificateID, string(now) == string(key))
		}
		if err := c.one(d); err != nil {
			t.Error(err)
		}
	})
}

// A refusal becomes an error with AWS's code and message and what to do, keeps the claim, and leaves
// nothing but what the next run needs.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name, topic, payload string
		want                 []string
		sent                 int
	}{
		{"template", "provision/json", `{"statusCode":404,"errorCode":"ResourceNotFound","errorMessage":"Template not found."}`,
			[]string{"refuses to register a thing: Template not found (ResourceNotFound, 404)", "describe-provisioning-template --template-name fleet"}, 2},
		{"hook", "provision/json", `{"statusCode":403,"errorCode":"AccessDenied","errorMessage":"hook denied"}`,
			[]string{"hook denied (AccessDenied, 403)", "pre-provisioning hook"}, 2},
		{"parameters", "provision/json", `{"statusCode":400,"errorCode":"InvalidParameters","errorMessage":"x"}`, []string{"--param"}, 2},
		{"CSR", "create-from-csr", `{"statusCode":400,"errorCode":"InvalidCertificateSigningRequest"}`, []string{"refuses to make a certificate (Invalid", "--csr=false"}, 1},
		{"throttled", "create-from-csr", `{"statusCode":429,"errorCode":"ThrottlingException","errorMessage":"slow down"}`, []string{"slow down", "later"}, 3},
		{"token, always", "provision/json", `{"statusCode":400,"errorCode":"InvalidCertificateOwnershipToken","errorMessage":"token-2 is bad"}`, []string{"[token] is bad"}, 4},
		{"no JSON", "provision/json", `<html>`, []string{"cannot be read (no code, 0)"}, 2},
		{"codes of terminals", "provision/json", `{"statusCode":400,"errorCode":"X\u001b[2J","errorMessage":"a\nb"}`, []string{"a b"}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, state, claims := newCloud(t), t.TempDir(), claimFiles(t)
				c.refuse = func(topic string) string {
					if strings.Contains(topic, tt.topic) {
						return tt.payload
					}
					return ""
				}
				l := c.dial()
				_, err := run(t.Context(), state, request1(claims, false), realDisk{}, l)
				var refused *Rejected
				if !errors.As(err, &refused) {
					t.Fatalf("%v", err)
				}
				for _, w := range tt.want {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("%v\nhas no %q", err, w)
					}
				}
				if strings.ContainsAny(err.Error(), "\x1b\n") || strings.Contains(err.Error(), "token-") {
					t.Errorf("%q", err)
				}
				if n := len(l.Published("$aws/#")); n != tt.sent {
					t.Errorf("%d requests, want %d", n, tt.sent)
				}
				if _, err := Identity(state); !errors.Is(err, ErrNone) {
					t.Errorf("%v", err)
				}
				for _, file := range claims {
					if _, err := os.Stat(file); err != nil {
						t.Errorf("the claim is gone: %v", err)
					}
				}
				c.refuse = nil
				d, err := run(t.Context(), state, request1(claims, false), realDisk{}, c.dial())
				if err != nil {
					t.Fatalf("when it is not refused any more: %v", err)
				}
				if err := c.one(d); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// silent is a broker that refuses the claim.
type silent struct{ *phone }

func (silent) Await(context.Context, ...string) error { return errNoBroker }

func TestClaimIsRefused(t *testing.T) {
	c, state, claims := newCloud(t), t.TempDir(), claimFiles(t)
	_, err := run(t.Context(), state, request1(claims, false), realDisk{}, silent{c.dial()})
	if !errors.Is(err, errNoBroker) || len(c.seen) != 0 {
		t.Fatalf("%v, and it has sent %q", err, c.seen)
	}
	if _, err := os.Stat(claims[0]); err != nil {
		t.Error(err)
	}
}

// An answer to another client, whose certificate is for another key, is passed over.
func TestAnswersToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, state := newCloud(t), t.TempDir()
		l := c.dial()
		stranger, _, err := NewKey()
		if err != nil {
			t.Fatal(err)
		}
		_, cert, token := c.issue(stranger.Public())
		c.lose = func(at int, _ string) bool {
			if at == 1 {
				text := fmt.Sprintf(`{"certificateId":"x","certificatePem":%q,"certificateOwnershipToken":%q}`, cert, token)
				if err := l.Inject(mqttlink.Message{Topic: createFromCSR + accepted, Payload: []byte(text)}); err != nil {
					t.Error(err)
				}
			}
			return false
		}
		d, err := run(t.Context(), state, request1(nil, false), realDisk{}, l)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.one(d); err != nil {
			t.Error(err)
		}
	})
}

// The new identity is tried before the claim is erased. One that does not work yet is tried again
// by the next run, which needs no claim.
func TestIdentityIsTriedBeforeTheClaimIsErased(t *testing.T) {
	c, state, claims := newCloud(t), t.TempDir(), claimFiles(t)
	r := request1(claims, false)
	r.Check = func(_ context.Context, d *Device) error { return errNoBroker }
	if _, err := run(t.Context(), state, r, realDisk{}, c.dial()); !errors.Is(err, errNoBroker) || !strings.Contains(err.Error(), "policy") {
		t.Fatal(err)
	}
	if _, err := os.Stat(claims[1]); err != nil {
		t.Fatal(err)
	}
	for _, root := range []bool{true, false} {
		tried := ""
		p, err := Begin(state)
		if err != nil {
			t.Fatal(err)
		}
		p.root = func() bool { return root }
		r.Check = func(_ context.Context, d *Device) error { tried = d.Thing; return nil }
		if !root {
			d, err := p.Run(t.Context(), Request{Check: r.Check}, nil)
			p.End()
			if err != nil || tried != "pi-7" {
				t.Fatalf("%v, tried %q", err, tried)
			}
			whole(t, state, d, claims)
			continue
		}
		// Root does not trust the list of files in a folder that may be another user's.
		err = p.erase()
		p.End()
		if err == nil || !strings.Contains(err.Error(), "shred -u "+claims[1]) {
			t.Errorf("%v", err)
		}
		if b, err := os.ReadFile(claims[1]); err != nil || string(b) != "claim" {
			t.Errorf("%q, %v", b, err)
		}
	}
}

// Answers that come twice, as QoS 1 allows, change nothing, also when a token is refused between them.
func TestAnswersComeTwice(t *testing.T) {
	ways(t, func(t *testing.T, awsKey, once bool) {
		c, state := newCloud(t), t.TempDir()
		l := c.dial()
		l.twice = true
		refused := false
		c.refuse = func(topic string) string {
			if refused || !strings.Contains(topic, "provision/json") {
				return ""
			}
			refused = true
			return `{"statusCode":400,"errorCode":"InvalidCertificateOwnershipToken","errorMessage":"over"}`
		}
		var said []string
		r := request1(nil, awsKey)
		r.Step = func(line string) { said = append(said, line) }
		d, err := run(t.Context(), state, r, realDisk{}, l)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.one(d); err != nil {
			t.Error(err)
		}
		if n := len(l.Published("$aws/#")); n != 4 {
			t.Errorf("%d requests", n)
		}
		for _, secret := range []string{"PRIVATE KEY", "token-"} {
			if strings.Contains(strings.Join(said, "\n"), secret) {
				t.Errorf("%q has %s", said, secret)
			}
		}
	})
}

// A claim on a disk that cannot be written is reported; the identity is there.
func TestClaimThatCannotBeErased(t *testing.T) {
	c, state := newCloud(t), t.TempDir()
	folder := t.TempDir() // no regular file
	d, err := run(t.Context(), state, request1([]string{folder}, false), realDisk{}, c.dial())
	if !errors.Is(err, ErrClaimKept) || d == nil || !strings.Contains(err.Error(), "shred -u "+folder) {
		t.Fatalf("%v, %v", d, err)
	}
}

func TestTwoAtATime(t *testing.T) {
	state := t.TempDir()
	p, err := Begin(state)
	if err != nil {
		t.Fatal(err)
	}
	defer p.End()
	if _, err := Begin(state); err == nil || !strings.Contains(err.Error(), "another pithings provision") {
		t.Errorf("%v", err)
	}
}

// A silent service is asked three times, and the error says what to check.
func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, state := newCloud(t), t.TempDir()
		c.lose = func(int, string) bool { return true }
		l, began := c.dial(), time.Now()
		_, err := run(t.Context(), state, request1(nil, false), realDisk{}, l)
		if err == nil || !strings.Contains(err.Error(), "iot:Receive") || len(l.Published("$aws/#")) != attempts || time.Since(began) != attempts*10*time.Second {
			t.Errorf("%v after %v and %d requests", err, time.Since(began), len(l.Published("$aws/#")))
		}
	})
}
