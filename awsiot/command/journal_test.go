package command

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/device"
)

func read(t *testing.T, b *bench) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(b.o.Dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A kill may leave any beginning of the file. Whatever that is, a command of which the
// beginning is there does not run again: it is answered with its answer, or as interrupted.
func TestEveryCut(t *testing.T) {
	b := newBench(t)
	b.run()
	answers := map[string]string{}
	for _, session := range []string{"a", "b", "c"} {
		answers[session] = b.ask(session, "TG_Camera/capture", "")
	}
	b.stop()
	whole := read(t, b)
	if n := bytes.Count(whole, []byte("\n")); n != 6 {
		t.Fatalf("%d lines", n)
	}
	var s sessions
	outcomes := map[string]int{}
	for n := range len(whole) + 1 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, journalName), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		interrupted, damaged, err := s.open(dir)
		if err != nil || damaged > 0 {
			t.Fatalf("cut at %d: %d damaged lines, %v", n, damaged, err)
		}
		lines := bytes.Count(whole[:n], []byte("\n"))
		if want := lines % 2; interrupted != want {
			t.Fatalf("cut at %d: %d are interrupted, want %d", n, interrupted, want)
		}
		for i, session := range []string{"a", "b", "c"} {
			r, err := parse([]byte(asked(session, "TG_Camera/capture", "")), nil)
			if err != nil {
				t.Fatal(err)
			}
			found, answer := s.join(&r, place{})
			switch {
			case lines >= 2*i+2:
				if found != finished || string(answer) != answers[session] {
					t.Fatalf("cut at %d: session %s: %v %s", n, session, found, answer)
				}
				outcomes["answered"]++
			case lines == 2*i+1:
				if found != finished || !strings.Contains(string(answer), `"code":"Interrupted"`) {
					t.Fatalf("cut at %d: session %s: %v %s", n, session, found, answer)
				}
				outcomes["interrupted"]++
			case found != unknown:
				t.Fatalf("cut at %d: session %s: %v", n, session, found)
			}
		}
	}
	if outcomes["answered"] == 0 || outcomes["interrupted"] == 0 {
		t.Errorf("%v", outcomes)
	}
}

// A damaged line costs what it says, and no other.
func TestDamagedLine(t *testing.T) {
	b := newBench(t)
	b.run()
	for _, session := range []string{"a", "b"} {
		b.ask(session, "TG_Camera/capture", "")
	}
	b.stop()
	whole := read(t, b)
	whole[bytes.Index(whole, []byte("OK"))] = 'K'
	if err := os.WriteFile(filepath.Join(b.o.Dir, journalName), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	b.run()
	want(t, "damaged", b.ask("a", "TG_Camera/capture", ""), `{"session-id":"a","status":"ERROR","code":"Interrupted",…`)
	want(t, "whole", b.ask("b", "TG_Camera/capture", ""), `{"session-id":"b","status":"OK"}`)
	b.stop()
	if !strings.Contains(b.log.String(), "interrupted=1 damaged_lines=1") || b.camera.called() != 2 {
		t.Errorf("%d calls, log:\n%s", b.camera.called(), b.log.String())
	}
}

// Sessions are kept for a day and up to a thousand, and answers up to a megabyte; what has
// run does not run again before.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.camera.do = func(context.Context) (device.Values, error) {
			return device.Values{"x": strings.Repeat("x", MaxAnswer-100)}, nil
		}
		b.run()
		for i := range 20 {
			b.ask(fmt.Sprintf("large%d", i), "TG_Camera/capture", "")
		}
		again := func(session, want1 string) {
			t.Helper()
			b.send(asked(session, "TG_Camera/capture", ""))
			synctest.Wait()
			got := b.link.Published("cmd/app/" + session)
			want(t, session, string(got[len(got)-1].Payload), want1)
		}
		for range 2 {
			again("large0", `{"session-id":"large0","status":"ERROR","code":"AnswerDropped","error":"this command ran, and its answer is no longer kept"}`)
			again("large19", `{"session-id":"large19","status":"OK","result":{"x":"xxx…`)
			if b.camera.called() != 20 {
				t.Fatalf("%d calls", b.camera.called())
			}
			b.stop()
			b.run()
		}
		b.camera.do = nil
		for i := range MaxSessions {
			b.ask(fmt.Sprint(i), "TG_Camera/capture", "")
		}
		if n := b.s.sessions.count(); n != MaxSessions {
			t.Errorf("%d sessions are kept, want %d", n, MaxSessions)
		}
		b.stop()
		if n := len(read(t, b)); n > maxJournal {
			t.Errorf("the file has %d bytes", n)
		}
		b.run()
		calls := b.camera.called()
		again("0", `{"session-id":"0","status":"OK"}`)
		if b.camera.called() != calls {
			t.Error("the oldest of a thousand runs again")
		}
		again("large19", `{"session-id":"large19","status":"OK"}`)
		if b.camera.called() != calls+1 {
			t.Error("one before the thousand is still kept")
		}
		time.Sleep(KeepFor - time.Second)
		again("500", `{"session-id":"500","status":"OK"}`)
		if b.camera.called() != calls+1 {
			t.Error("it runs again within a day")
		}
		time.Sleep(2 * time.Second)
		again("500", `{"session-id":"500","status":"OK"}`)
		if n := b.s.sessions.count(); b.camera.called() != calls+2 || n != 1 {
			t.Errorf("after a day: %d calls, %d sessions", b.camera.called()-calls, n)
		}
		b.stop()
	})
}

// The file is written anew when it has grown, and nothing is lost by that.
func TestJournalIsWrittenAnew(t *testing.T) {
	dir := t.TempDir()
	var s sessions
	open := func() {
		t.Helper()
		if _, damaged, err := s.open(dir); err != nil || damaged > 0 {
			t.Fatalf("%d damaged lines, %v", damaged, err)
		}
	}
	open()
	defer func() { s.close() }()
	answer := []byte(strings.Repeat("x", MaxAnswer))
	largest := int64(0)
	for i := range 200 {
		one := s.enter(&request{session: fmt.Sprint(i)}, place{})
		if err := s.begin(one); err != nil {
			t.Fatal(err)
		}
		if _, err := s.finish(one, answer); err != nil {
			t.Fatal(err)
		}
		largest = max(largest, s.journal.size)
		if i%77 == 0 {
			s.close()
			open()
		}
	}
	if largest > maxJournal || largest < maxJournal/2 {
		t.Errorf("the file grew to %d bytes", largest)
	}
	s.close()
	open()
	if n := s.count(); n != 200 {
		t.Errorf("%d sessions are kept, want 200", n)
	}
	if _, answer2 := s.join(&request{session: "199"}, place{}); !bytes.Equal(answer2, answer) {
		t.Errorf("the last answer has %d bytes", len(answer2))
	}
}

// On a disk that cannot be written nothing runs that must not run twice.
func TestReadOnly(t *testing.T) {
	b := newBench(t)
	b.o.Dir = filepath.Join(b.o.Dir, "file", "dir")
	b.o.Diagnose = func(context.Context) (device.Values, error) { return nil, nil }
	if err := os.WriteFile(filepath.Dir(b.o.Dir), nil, 0o600); err != nil { // a file where a folder should be
		t.Fatal(err)
	}
	b.s = New(b.o)
	b.s.sessions.byID = nil
	if _, _, err := b.s.sessions.open(b.o.Dir); err == nil { // ENOTDIR
		t.Error("it is opened")
	}
	b.o.Dir = filepath.Join(t.TempDir(), "command")
	b.run()
	if err := os.WriteFile(b.o.Dir, nil, 0o600); err != nil { // comes in the way after the start
		t.Fatal(err)
	}
	want(t, "action", b.ask("a", "TG_Camera/capture", ""), `{"session-id":"a","status":"ERROR","code":"NotSaved",…`)
	want(t, "read", b.ask("b", "read", ""), `{"session-id":"b","status":"OK",…`)
	want(t, "diagnose", b.ask("c", "diagnose", ""), `{"session-id":"c","status":"OK"}`)
	if n := b.camera.called(); n != 0 {
		t.Errorf("an action ran")
	}
	if err := os.Remove(b.o.Dir); err != nil {
		t.Fatal(err)
	}
	b.send(asked("a", "TG_Camera/capture", ""))
	want(t, "when the disk is back", b.answer("a", 2), `{"session-id":"a","status":"OK"}`)
	b.stop()
	b.run()
	b.send(asked("a", "TG_Camera/capture", ""))
	want(t, "repeat", b.answer("a", 1), `{"session-id":"a","status":"OK"}`)
	b.stop()
	if n := b.camera.called(); n != 1 {
		t.Errorf("it ran %d times", n)
	}
}

// FuzzJournal: no file makes it fail or keep more than its bounds, and what was read is
// written so that it is read again.
func FuzzJournal(f *testing.F) {
	f.Add(appendEntry(appendEntry(nil, entry{Session: "a", Sum: strings.Repeat("0", 32), At: 1}), entry{Session: "a", Answer: "{}"}))
	f.Add([]byte("00000000 {}\n\n x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s sessions
		s.load(b)
		if s.answers > maxAnswers+MaxAnswer || s.order.Len() != len(s.byID) || s.order.Len() > MaxSessions {
			t.Errorf("%d bytes of answers, %d sessions", s.answers, s.order.Len())
		}
		whole := s.content()
		var again []byte
		if damaged := parseJournal(whole, func(e entry) { again = appendEntry(again, e) }); damaged > 0 || !bytes.Equal(again, whole) {
			t.Errorf("%d damaged lines in %q", damaged, whole)
		}
	})
}

// FuzzParse: no payload makes it fail, and what is answered is answered where it may be.
func FuzzParse(f *testing.F) {
	f.Add([]byte(asked("a", "read", `{"a":[{"b":1e3}]}`)))
	f.Add([]byte(`{"session-id":"a","response-topic":"x/y","type":"\ud800"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parse(b, []string{"x/"})
		if r.session != "" && r.reply != "" && (err == nil || codeOf(err) == InvalidRequest) {
			if checkReply(r.reply, []string{"x/"}) != nil || checkSession(r.session) != nil || len(r.params) > MaxRequest {
				t.Errorf("%+v", r)
			}
			if answer := answerOf(r.session, r.params, err); len(answer) == 0 || len(answer) > MaxAnswer || bytes.ContainsAny(answer, "\n") {
				t.Errorf("%q", answer)
			}
		} else if err == nil {
			t.Errorf("%q is taken as %+v", b, r)
		}
	})
}

// BenchmarkCommand is a command from its arrival to its answer, with two syncs of the disk.
func BenchmarkCommand(b *testing.B) {
	var s sessions
	if _, _, err := s.open(b.TempDir()); err != nil {
		b.Fatal(err)
	}
	defer s.close()
	o := Options{Log: slog.New(slog.DiscardHandler), Things: func() []Thing {
		return []Thing{{"TG_Camera", device.Model{Actions: map[string]device.ActionModel{"capture": {}}}, &camera{}}}
	}}
	service := New(o)
	for i := 0; b.Loop(); i++ {
		r, err := parse([]byte(asked(fmt.Sprint(i), "TG_Camera/capture", "")), nil)
		if err != nil {
			b.Fatal(err)
		}
		if found, _ := s.join(&r, place{}); found != unknown {
			b.Fatal(found)
		}
		w, err := service.admit(&r)
		if err != nil {
			b.Fatal(err)
		}
		one := s.enter(&r, place{})
		if err := s.begin(one); err != nil {
			b.Fatal(err)
		}
		result, err := w.run(b.Context())
		if _, err := s.finish(one, answerOf(r.session, result, err)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDeeper(t *testing.T) {
	got := []bool{deeper([]byte(`{"a":[1,"]][[[","\"[["]}`), 2), deeper([]byte(`{"a":[1,{}]}`), 2), deeper([]byte(`"\`), 2)}
	if !slices.Equal(got, []bool{false, true, false}) {
		t.Error(got)
	}
}
