package pub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pithings/api"
	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
	"pithings/spool/control"
	"pithings/spool/queue"
	"pithings/spool/state"
)

func options(dir string, in io.Reader, out io.Writer) Options {
	return Options{State: dir, Link: mqttlink.DefaultOptions(), Log: slog.New(slog.DiscardHandler),
		Input: Lines(in, mqttlink.Message{Topic: "t", QoS: 1}), Verdicts: out}
}

// onlyQueue returns the folder of the only outbox of a state folder.
func onlyQueue(t *testing.T, dir string) string {
	t.Helper()
	queues, err := (&state.Folder{Dir: dir}).Queues()
	if err != nil || len(queues) != 1 {
		t.Fatal(queues, err)
	}
	return queues[0].Dir
}

// kept returns what is in the only outbox of a folder.
func kept(t *testing.T, dir string) (lines []string) {
	t.Helper()
	box, err := outbox.Open(onlyQueue(t, dir), outbox.DiskOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	for pos := uint64(0); ; {
		r, ok, err := box.Next(pos)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return lines
		}
		lines = append(lines, string(r.Payload))
		pos = r.Seq + 1
	}
}

func numbered(from, to int) (lines []string) {
	for n := from; n <= to; n++ {
		lines = append(lines, fmt.Sprint(n))
	}
	return lines
}

func verdicts(from, to int) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		fmt.Fprintf(&b, "safe %d\n", n)
	}
	return b.String()
}

func TestLinesAreSafe(t *testing.T) {
	dir := t.TempDir()
	const n = 5000
	var out bytes.Buffer
	in := strings.Join(numbered(1, n), "\n") // the last line has no end
	if err := Run(t.Context(), options(dir, strings.NewReader(in), &out)); err != nil {
		t.Fatal(err)
	}
	if out.String() != verdicts(1, n) {
		t.Errorf("answers:\n%.200s", out.String())
	}
	if got := strings.Join(kept(t, dir), "\n"); got != in {
		t.Errorf("kept:\n%.200s", got)
	}
}

// Lines are answered as they come, not when the input ends.
func TestEachLineIsAnswered(t *testing.T) {
	in, feed := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error)
	go func() { ended <- Run(t.Context(), options(t.TempDir(), in, out)); out.Close() }()
	for n := range 20 {
		fmt.Fprintln(feed, "x")
		var fate string
		var number int
		if _, err := fmt.Fscanln(answers, &fate, &number); err != nil || fate != "safe" || number != n+1 {
			t.Fatal(fate, number, err)
		}
	}
	feed.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// A line that no broker takes is refused, and the others are safe.
func TestRefusedLines(t *testing.T) {
	dir := t.TempDir()
	var out, log bytes.Buffer
	o := options(dir, nil, &out)
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	o.Link.Endpoint = "mqtts://xxxx-ats.iot.eu-central-1.amazonaws.com" // 128 KiB a message; never reached
	o.Link.Dial = refuse
	o.Input = Lines(strings.NewReader("1\n"+strings.Repeat("x", 200_000)+"\n3\n"), mqttlink.Message{Topic: "t"})
	err := Run(t.Context(), o)
	var unsafe *UnsafeError
	if !errors.As(err, &unsafe) || unsafe.Refused != 1 || unsafe.Unsafe != 0 || !strings.Contains(err.Error(), "AWS IoT Core allows") {
		t.Errorf("%v", err)
	}
	if out.String() != "safe 1\nsafe 3\n" || !strings.Contains(log.String(), "line=2") {
		t.Errorf("%s%s", out.String(), log.String())
	}
	if got := kept(t, dir); len(got) != 2 {
		t.Errorf("%d kept", len(got))
	}
}

// Owners come and go while a stream of lines is handed over: all lines are answered
// once, in order, and are kept in order, whoever owned the folder.
func TestOwnersComeAndGo(t *testing.T) {
	dir := t.TempDir()
	const lines, owners = 3000, 12
	in, feed := io.Pipe()
	var out bytes.Buffer
	ended := make(chan error)

	first := newOwner(t, dir)
	go func() { ended <- Run(t.Context(), options(dir, in, &out)) }()
	fmt.Fprintln(feed, 1) // has reached the first owner, or will reach the next
	first.stop()
	n := 2
	for range owners {
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := 0; i < lines/owners && n <= lines; i++ {
				fmt.Fprintln(feed, n)
				n++
			}
		})
		// Another process that wants the folder has to wait until it is free.
		if o, err := tryOwner(t, dir); err == nil {
			wg.Wait()
			o.stop()
		}
		wg.Wait()
	}
	last := n - 1
	feed.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if out.String() != verdicts(1, last) {
		t.Errorf("answers:\n%.400s", out.String())
	}
	next := 1
	for _, line := range kept(t, dir) {
		var k int
		fmt.Sscan(line, &k)
		switch {
		case k == next:
			next++
		case k > next:
			t.Fatalf("%d was kept before %d", k, next)
		}
	}
	if next-1 != last {
		t.Errorf("%d lines kept, want %d", next-1, last)
	}
}

// owner is another process that owns the folder.
type owner struct {
	*local
	t *testing.T
}

func tryOwner(t *testing.T, dir string) (*owner, error) {
	t.Helper()
	o := options(dir, nil, nil)
	l, err := own(&o, nil)
	if err != nil {
		return nil, err
	}
	return &owner{l, t}, nil
}

func newOwner(t *testing.T, dir string) *owner {
	t.Helper()
	o, err := tryOwner(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *owner) stop() {
	o.t.Helper()
	if err := o.close(); err != nil {
		o.t.Error(err)
	}
}

// ownerSocket owns a state folder, and listens there until the test ends.
func ownerSocket(t *testing.T, dir string) *control.Server {
	t.Helper()
	s := state.Folder{Dir: dir}
	if err := s.Own(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	server, err := control.Listen(s.Socket(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return server
}

// An owner of another version, or one that has no such connection, ends it with its
// words.
func TestOwnerRefuses(t *testing.T) {
	dir := t.TempDir()
	ownerSocket(t, dir).Serve(Routes(func(name string) (Desk, error) { return Desk{}, fmt.Errorf("there is no connection %q", name) })...)
	o := options(dir, strings.NewReader("1\n"), io.Discard)
	o.Connection = "hall"
	if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), `there is no connection "hall"`) {
		t.Errorf("%v", err)
	}
}

// An owner that does not answer is reported once, and waited for.
func TestSilentOwner(t *testing.T) {
	dir := t.TempDir()
	answer := make(chan struct{})
	ownerSocket(t, dir).Serve(api.Route{Method: "POST", Path: streamPath, Handler: control.StreamHandler(func(_ context.Context, _ *http.Request, c *control.Stream) {
		<-answer
		for n := 1; ; n++ {
			if _, err := readLine(c.R, maxLine); err != nil {
				return
			}
			fmt.Fprintf(c, "safe %d\n", n)
		}
	})})
	const lines = 2 << 10 // more than the socket holds: it stops while one is handed over
	var text strings.Builder
	for range lines {
		fmt.Fprintln(&text, strings.Repeat("x", 1<<10))
	}
	var out, log watched
	o := options(dir, strings.NewReader(text.String()), &out)
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	o.silence = 20 * time.Millisecond
	ended := make(chan error)
	go func() { ended <- Run(t.Context(), o) }()
	log.wait(t, "does not answer")
	time.Sleep(5 * o.silence) // in which it could be reported again; later the owner may be slow
	logged := log.count("does not answer")
	close(answer)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := out.b.String(); got != verdicts(1, lines) {
		t.Errorf("%.200s", got)
	}
	if logged != 1 {
		t.Errorf("it was logged %d times", logged)
	}
}

// An import may be written by hand: blank lines are nothing, and QoS is that of pub.
func TestParsedByHand(t *testing.T) {
	input := Parsed(strings.NewReader("\n{\"topic\":\"a\"}\n \r\n\n{\"topic\":\"b\",\"qos\":0}"), queue.ParseLine)
	var all []mqttlink.Message
	for {
		ms, err := input()
		if err != nil {
			t.Fatal(err)
		}
		if len(ms) == 0 {
			break
		}
		all = append(all, ms...)
	}
	if len(all) != 2 || all[0].Topic != "a" || all[0].QoS != 1 || all[1].Topic != "b" || all[1].QoS != 0 {
		t.Errorf("%+v", all)
	}
	input = Parsed(strings.NewReader("\n\n{}"), queue.ParseLine)
	if _, err := input(); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("%v", err)
	}
}

// A file of lines that are all refused does not fill the log.
func TestManyRefusedLines(t *testing.T) {
	var log watched
	o := options(t.TempDir(), nil, io.Discard)
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	o.Input = Lines(strings.NewReader(strings.Repeat("x\n", 3000)), mqttlink.Message{Topic: "a/#", QoS: 1})
	var unsafe *UnsafeError
	if err := Run(t.Context(), o); !errors.As(err, &unsafe) || unsafe.Refused != 3000 {
		t.Errorf("%v", err)
	}
	if n := strings.Count(log.b.String(), "refused"); n != 21 {
		t.Errorf("%d lines in the log:\n%.500s", n, log.b.String())
	}
}

// Whatever a message is made of, the largest can be handed over, and exported and
// imported.
func TestLargestMessages(t *testing.T) {
	for unit, size := range map[string]int{"\x00": 5 << 20, "<": 5 << 20, "\"": MaxLine, "\xff": MaxLine} {
		t.Run(fmt.Sprintf("%q", unit), func(t *testing.T) {
			dir := t.TempDir()
			owner := newOwner(t, dir)
			m := mqttlink.Message{Topic: "t", QoS: 1, Payload: []byte(strings.Repeat(unit, size))}
			o := options(dir, nil, nil)
			o.Input = One(m)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it was handed over again and again
			defer cancel()
			if err := Run(ctx, o); err != nil {
				t.Error(err)
			}
			if r, ok, err := owner.box.Next(0); err != nil || !ok || !bytes.Equal(r.Payload, m.Payload) {
				t.Errorf("%v, %v, %d bytes", ok, err, len(r.Payload))
			} else if got, err := Parsed(strings.NewReader(queue.FromRecord(&r).String()), queue.ParseLine)(); err != nil || len(got) != 1 || !bytes.Equal(got[0].Payload, m.Payload) {
				t.Errorf("%d messages, %v", len(got), err)
			}
			owner.stop()
		})
	}
}

func TestInterrupted(t *testing.T) {
	in, feed := io.Pipe()
	defer feed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if err := Run(ctx, options(t.TempDir(), in, io.Discard)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestDrainOwned(t *testing.T) {
	dir := t.TempDir()
	first := newOwner(t, dir)
	defer first.stop()
	var all []Progress
	if err := Drain(t.Context(), options(dir, nil, nil), func(p Progress) { all = append(all, p) }); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", err, all)
	}
	if err := first.put(t.Context(), []mqttlink.Message{{Topic: "t"}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var left *NotEmptyError
	if err := Drain(ctx, options(dir, nil, nil), nil); !errors.As(err, &left) || left.Left != 1 {
		t.Errorf("%v", err)
	}
}

func TestReadMessagesBadLine(t *testing.T) {
	for text, want := range map[string]string{
		"hello\n":                "not a line of an export",
		`{"topic":"a/#"}` + "\n": "wildcard",
	} {
		_, err := readMessages(bufioReader(text))
		var bad *badLine
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzVerdict(f *testing.F) {
	f.Add("safe 1")
	f.Add("refused 2 because")
	f.Fuzz(func(t *testing.T, line string) {
		if v, err := parseVerdict(line); err == nil && (v.N < 1 || v.Fate == "") {
			t.Errorf("%+v", v)
		}
	})
}

// Processes follow each other as owners, each taking over from the one before while
// it hands its lines over.
func TestOwnersFollowEachOther(t *testing.T) {
	dir := t.TempDir()
	const runs, lines = 8, 400
	var ends [runs]chan error
	var feeds [runs]*io.PipeWriter
	var outs [runs]bytes.Buffer
	start := func(i int) {
		in, feed := io.Pipe()
		feeds[i], ends[i] = feed, make(chan error, 1)
		go func() { ends[i] <- Run(t.Context(), options(dir, in, &outs[i])) }()
	}
	start(0)
	for i := range runs {
		fmt.Fprintln(feeds[i], i, 0) // this one has a place
		if i+1 < runs {
			start(i + 1)
			fmt.Fprintln(feeds[i+1], i+1, -1)
		}
		var wg sync.WaitGroup
		for _, f := range feeds[i:min(i+2, runs)] {
			wg.Go(func() {
				for n := range lines / 2 {
					fmt.Fprintln(f, i, n)
				}
			})
		}
		wg.Wait()
		feeds[i].Close()
		if err := <-ends[i]; err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	for i := range outs {
		n := strings.Count(outs[i].String(), "\n")
		total += n
		if outs[i].String() != verdicts(1, n) {
			t.Errorf("run %d: %.200s", i, outs[i].String())
		}
	}
	if got := len(kept(t, dir)); got != total {
		t.Errorf("%d lines were reported safe, %d are kept: owners that end in order cause no duplicates", total, got)
	}
}
