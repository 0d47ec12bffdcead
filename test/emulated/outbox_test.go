//go:build emulated

package emulated

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink/outbox"
	"pithings/test/emulated/guest"
	"pithings/test/emulated/writelog"
	"pithings/test/mosquitto"
)

// runs is how long a run takes, by the clock of this computer.
const runs = 20 * time.Second

// enough is how much must happen in a run for it to mean something.
const enough = 50

// cutsEach is how many moments the power is cut at in the record of each run.
const cutsEach = 32

// losses are what becomes at a cut of what was not flushed.
var losses = []struct {
	name string
	loss writelog.Loss
}{
	{"nothing is lost", writelog.None},
	{"all that was not flushed is lost", writelog.All},
	{"writes are lost", writelog.Writes},
	{"sectors are lost", writelog.Sectors},
}

// recorded is a run of a guest whose disk's writes were recorded, and what was seen
// of it: with the length that the record had then.
type recorded struct {
	t         *testing.T
	disk      *disk
	before    string // the disk as it was
	log       *writelog.Log
	said      []moment
	delivered map[string]int64
}

// moment is a number that the guest said.
type moment struct {
	n      int64
	length int64
}

// record runs a test in the guest until it has said for long enough that something
// is safe, or what time it is, in lines "PREFIX N", and kills QEMU. The broker can be
// reached and not for the times there and away, in turns.
func record(t *testing.T, b *bench, name, pattern, prefix string, there, away time.Duration) *recorded {
	t.Helper()
	r := &recorded{t: t, disk: newDisk(t, b)}
	r.before = r.disk.file + ".before"
	copyFile(t, r.disk.file, r.before)
	w := boot{name: name, screen: image.Pt(800, 480), disk: r.disk.file, writes: r.disk.file + ".writes"}
	writes, err := os.Create(w.writes)
	if err != nil {
		t.Fatal(err)
	}
	defer writes.Close()
	length := func() int64 {
		info, err := writes.Stat()
		if err != nil {
			t.Error(err)
			return 0
		}
		return info.Size()
	}
	p := newPostman(t, mosquitto.Start(t), length, there, away)
	w.programs = append(helpers(), whole(pattern, "PITHINGS_TEST_CUT_BROKER="+p.address()))

	var begun time.Time
	cut(t, b, w, prefix+" ", func(rest string) bool {
		n, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			t.Errorf("%s %q", prefix, rest)
		}
		r.said = append(r.said, moment{n, length()})
		if begun.IsZero() {
			begun = time.Now()
		}
		// A busy computer gets more time, as little happens in its guest.
		ran := time.Since(begun)
		return ran > runs && (ran > 6*runs || p.count() >= 2*enough)
	})
	p.mu.Lock()
	r.delivered = p.delivered
	p.mu.Unlock()

	// A reader of its own: the record is read while the test continues to its end.
	f, err := os.Open(w.writes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if r.log, err = writelog.Read(f, length()); err != nil {
		t.Fatal(err)
	}
	flushes := 0
	for _, q := range r.log.Requests {
		if q.Flush {
			flushes++
		}
	}
	t.Logf("%d requests with %d flushes were recorded, %d MB; %d messages were delivered", len(r.log.Requests), flushes, length()>>20, len(r.delivered))
	if flushes < enough || len(r.delivered) < enough {
		t.Error("too little happened for the test to mean something")
	}
	return r
}

// length is that of the record up to its n-th request and behind, before the next.
func (r *recorded) length(n int) int64 {
	if n < len(r.log.Requests) {
		return r.log.Requests[n].End - 1
	}
	return r.log.Requests[n-1].End
}

// last returns the last number said when the record had at most this length.
func (r *recorded) last(length int64) (n int64, ok bool) {
	for _, m := range r.said {
		if m.length > length {
			break
		}
		n, ok = m.n, true
	}
	return n, ok
}

// wasDelivered reports whether the message's acknowledgement may have reached the
// guest when the record had this length.
func (r *recorded) wasDelivered(payload string, length int64) bool {
	at, ok := r.delivered[payload]
	return ok && at <= length
}

// each cuts the power at random moments after something was said, and calls check
// with the messages that are in the outbox then and the length that the record had.
func (r *recorded) each(check func(t *testing.T, messages []string, length int64)) {
	r.t.Helper()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	r.t.Logf("the moments are those of seed %d", seed)
	var begun []int // requests after which there is something to lose
	for n := 1; n <= len(r.log.Requests); n++ {
		if r.log.Requests[n-1].End > r.said[0].length && r.log.Unflushed(n) > 0 {
			begun = append(begun, n)
		}
	}
	if len(begun) < cutsEach {
		r.t.Fatalf("only after %d requests something was not flushed", len(begun))
	}
	for i := range cutsEach {
		l := losses[i%len(losses)]
		n := begun[random.IntN(len(begun))]
		if i%len(losses) == 0 { // at any time
			length := r.said[random.IntN(len(r.said))].length
			n = max(1, sort.Search(len(r.log.Requests), func(i int) bool { return r.log.Requests[i].End > length }))
		}
		r.t.Run(fmt.Sprintf("after %d requests, %s", n, l.name), func(t *testing.T) {
			after := &disk{t, filepath.Join(t.TempDir(), "disk.img")}
			copyFile(t, r.before, after.file)
			f, err := os.OpenFile(after.file, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			err = r.log.Apply(f, n, l.loss, random)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			check(t, after.messages(), r.length(n))
		})
	}
	r.t.Run("when QEMU was killed", func(t *testing.T) {
		r.disk.t = t
		// All that was said had been read when it was killed.
		check(t, r.disk.messages(), 1<<62)
	})
}

// messages checks the file system of a disk whose machine lost its power, and
// returns what is in the outbox on it, which opens as if nothing had happened.
func (d *disk) messages() (payloads []string) {
	d.t.Helper()
	d.checkCut()
	dir := d.t.TempDir()
	after := d.file + ".cut" // which checkCut made, with the journal replayed
	d.tool("/sbin/debugfs", "-R", "rdump /outboxes "+dir, after)
	box, err := outbox.Open(filepath.Join(dir, "outboxes", "guest"), outbox.DiskOptions{})
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() {
		if err := box.Close(); err != nil {
			d.t.Error(err)
		}
	}()
	for pos := uint64(0); ; {
		r, ok, err := box.Next(pos)
		if err != nil {
			d.t.Fatal(err)
		}
		if !ok {
			break
		}
		payloads = append(payloads, string(r.Payload))
		pos = r.Seq + 1
	}
	if s := box.Stats(); s.Damaged > 0 || s.DamagedFiles > 0 || s.Err != nil {
		d.t.Errorf("the outbox: %+v", s)
	}
	return payloads
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}

// testAlways cuts the power while pithings pub takes lines: none that it had reported to
// be safe is lost.
func testAlways(t *testing.T, b *bench) {
	r := record(t, b, "always", "TestAlwaysUntilThePowerIsCut", "safe", 4*time.Second, time.Second)
	r.each(func(t *testing.T, messages []string, length int64) {
		last := int64(0)
		found := map[int64]bool{}
		for _, m := range messages {
			number, _, _ := strings.Cut(m, " ")
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil || m != guest.Numbered(int(n)) || n <= last {
				t.Fatalf("%.40q… of %d bytes after line %d", m, len(m), last)
			}
			found[n], last = true, n
		}
		safe, _ := r.last(length)
		for n := int64(1); n <= safe; n++ {
			if !found[n] && !r.wasDelivered(guest.Numbered(int(n)), length) {
				t.Fatalf("line %d is lost; up to %d all were safe, and %d wait", n, safe, len(messages))
			}
		}
		t.Logf("up to line %d all were safe; %d wait, up to %d", safe, len(messages), last)
	})
}

// reading is one of the agent's.
type reading struct {
	Sequence *int64    `json:"sequence"`
	Time     time.Time `json:"timestamp_utc"`
}

// testInterval cuts the power while the agent publishes readings: what a cut costs had
// been published within an interval, as a rule, and never long before.
func testInterval(t *testing.T, b *bench) {
	r := record(t, b, "interval", "TestIntervalUntilThePowerIsCut", "now", time.Second, 4*time.Second)
	// All that was ever published: what was delivered, and what waits at the end.
	made := map[int64]reading{}
	payload := map[int64]string{}
	note := func(m string) (n int64, ok bool) {
		var v reading
		if err := json.Unmarshal([]byte(m), &v); err != nil {
			t.Fatalf("%.60q: %v", m, err)
		}
		if v.Sequence == nil {
			return 0, false // all quantities in one message, without a number
		}
		made[*v.Sequence], payload[*v.Sequence] = v, m
		return *v.Sequence, true
	}
	for m := range r.delivered {
		note(m)
	}
	for _, m := range (&disk{t, r.disk.file}).messages() {
		note(m)
	}
	if len(made) < enough {
		t.Fatalf("only %d readings were published", len(made))
	}
	var oldest []time.Duration // that each cut cost, by when it had been published
	r.each(func(t *testing.T, messages []string, length int64) {
		now, ok := r.last(length)
		if !ok {
			t.Fatal("the time was never set")
		}
		found := map[int64]bool{}
		last := int64(-1)
		for _, m := range messages {
			if n, ok := note(m); ok {
				if n <= last {
					t.Errorf("reading %d after %d", n, last)
				}
				found[n], last = true, n
			}
		}
		there, lost, worst := 0, 0, time.Duration(0)
		for n := range made {
			next, ok := made[n+1]
			// A reading had been published when the next one was made.
			age := time.UnixMicro(now).Sub(next.Time)
			switch {
			case !ok || age < 0:
			case found[n] || r.wasDelivered(payload[n], length):
				there++
			default:
				lost++
				worst = max(worst, age)
				if age > interval+stalled {
					t.Errorf("reading %d is lost, which was published %s before the cut", n, age)
				}
			}
		}
		if lost > 0 {
			oldest = append(oldest, worst)
		}
		t.Logf("of the readings published before, %d are there or were delivered, %d are lost", there, lost)
	})
	slices.Sort(oldest)
	if len(oldest) < cutsEach/2 {
		t.Fatalf("only %d cuts cost anything: the disk was not given what it may lose", len(oldest))
	}
	median, worst := oldest[len(oldest)/2], oldest[len(oldest)-1]
	t.Logf("the oldest that a cut cost had been published %s before, half of the times at most %s", worst.Round(time.Millisecond), median.Round(time.Millisecond))
	if median > interval+syncing {
		t.Errorf("half of the cuts cost readings that had been published %s before, or more", median)
	}
}

// interval is the agent's default. A sync begins a little before the interval is over,
// and syncing is what is allowed for it as a rule. The guest's disk is as slow as this
// computer's is at that moment, so a single sync may be stalled by more, but by less
// than the 5 s after which the kernel writes a file system's journal by itself.
const (
	interval = time.Second
	syncing  = 500 * time.Millisecond
	stalled  = 3 * time.Second
)
