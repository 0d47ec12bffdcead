package sysfs

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"pithings/pulse"
)

func TestNumber(t *testing.T) {
	for text, want := range map[string]float64{
		"21500\n": 21500, "-1250": -1250, "0.125000000": 0.125, "+3.5 \n": 3.5, "  7": 7, ".5": .5,
	} {
		if got, err := Number([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "\n", "nan", "NaN", "inf", "-Inf", "0x10", "1e3", "1 2", "1_000", "21.5.1", "-", "12 dB", "N/A", strings.Repeat("9", 65)} {
		if got, err := Number([]byte(text)); !errors.Is(err, ErrNoNumber) {
			t.Errorf("%q is %v, %v, want %v", text, got, err, ErrNoNumber)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"21500\n", "-1.5", "nan", "1e309", "1 2", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Number([]byte(s))
		if err == nil && (v != v || v-v != 0) {
			t.Errorf("%q is %v", s, v)
		}
	})
}

func TestText(t *testing.T) {
	f := Files{Root: fstest.MapFS{
		"page":  {Data: []byte(strings.Repeat("x", MaxSize))},
		"more":  {Data: []byte(strings.Repeat("x", MaxSize+1))},
		"tree":  {Data: []byte("ads1115\x00")},
		"blank": {Data: []byte("\n")},
	}}
	if text, err := f.Text("page"); err != nil || len(text) != MaxSize {
		t.Errorf("a page: %d bytes, %v", len(text), err)
	}
	if _, err := f.Text("more"); !errors.Is(err, ErrTooLong) {
		t.Errorf("more than a page: %v", err)
	}
	if text, err := f.Text("tree"); err != nil || string(text) != "ads1115" {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := f.Text("blank"); err != nil || len(text) != 0 {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := f.Text("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := f.Number("tree"); !errors.Is(err, ErrNoNumber) || !strings.Contains(err.Error(), "tree") {
		t.Error(err)
	}
}

// A file that hangs is waited for by one goroutine, however often it is read.
func TestOneWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewReader(Files{}, time.Second)
		answers, begun := make(chan struct{}), 0
		hang := func(j *Job) (int, error) {
			begun++
			j.Next("fast")
			j.Next("slow")
			<-answers
			if j.Next("unwanted") {
				t.Error("the job continues for nothing")
			}
			return 1, nil
		}
		for i := range 5 {
			start := time.Now()
			_, err := Do(t.Context(), r, hang)
			if !errors.Is(err, ErrHangs) || !strings.Contains(err.Error(), "slow") {
				t.Fatal(err)
			}
			want := time.Second // the first waits for it, the others know
			if i > 0 {
				want = 0
			}
			if took := time.Since(start); took != want {
				t.Errorf("read %d took %v, want %v", i, took, want)
			}
			time.Sleep(10 * time.Second)
		}
		synctest.Wait() // orders the goroutine's count before this one
		if begun != 1 {
			t.Errorf("%d goroutines wait, want 1", begun)
		}
		close(answers)
		synctest.Wait()
		if v, err := Do(t.Context(), r, func(*Job) (int, error) { return 7, nil }); v != 7 || err != nil {
			t.Errorf("after it has answered: %v, %v", v, err)
		}
	})
}

// Many slow files, each within the limit, are not a loop that is stuck. A job whose result is not
// wanted any more moves none.
func TestSlowFilesMoveTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pulse.New()
		loop := p.Loop("reads")
		r := NewReader(Files{}, time.Minute)
		slow := func(j *Job) (int, error) {
			for range 10 {
				if !j.Next("slow") {
					t.Error("the result is not wanted")
				}
				time.Sleep(50 * time.Second)
				if stuck := p.Stuck(55 * time.Second); len(stuck) > 0 {
					t.Fatalf("stuck are %q", stuck)
				}
			}
			return 1, nil
		}
		loop.Work()
		if _, err := Do(loop.In(t.Context()), r, slow); err != nil {
			t.Error(err)
		}
		late := make(chan struct{})
		if _, err := Do(loop.In(t.Context()), r, func(j *Job) (int, error) {
			defer close(late)
			time.Sleep(2 * time.Minute)
			j.Next("late")
			return 0, nil
		}); !errors.Is(err, ErrHangs) {
			t.Error(err)
		}
		p.Stuck(time.Minute)
		<-late
		time.Sleep(time.Second)
		if stuck := p.Stuck(time.Minute); len(stuck) != 1 {
			t.Errorf("stuck are %q, want the loop", stuck)
		}
	})
}

// A panic is the caller's, who contains it; the next read can be made.
func TestPanicIsTheCallers(t *testing.T) {
	r := NewReader(Files{}, time.Second)
	got := func() (p any) {
		defer func() { p = recover() }()
		Do(t.Context(), r, func(*Job) (int, error) { panic("no such row") })
		return nil
	}()
	if text, _ := got.(string); !strings.Contains(text, "no such row") || !strings.Contains(text, "TestPanicIsTheCallers") {
		t.Errorf("%v", got)
	}
	if v, err := Do(t.Context(), r, func(*Job) (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Error(v, err)
	}
}

// Each file has the whole limit, and a wait between two does not count.
func TestLimitIsOfOneFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewReader(Files{}, time.Second)
		v, err := Do(t.Context(), r, func(j *Job) (int, error) {
			for range 3 {
				j.Next("slow")
				time.Sleep(900 * time.Millisecond)
			}
			j.Wait(2 * time.Second)
			return 3, nil
		})
		if v != 3 || err != nil {
			t.Errorf("%v, %v", v, err)
		}
	})
}

func TestReadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewReader(Files{}, 5*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		slow := func(j *Job) (int, error) {
			j.Next("slow")
			time.Sleep(2 * time.Second)
			return 1, nil
		}
		if _, err := Do(ctx, r, slow); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		// The next one waits for the file.
		if v, err := Do(t.Context(), r, slow); v != 1 || err != nil {
			t.Error(v, err)
		}
		if _, err := Do(ctx, r, func(j *Job) (int, error) { return 1, nil }); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		long, stop := context.WithTimeout(t.Context(), 3*time.Second)
		defer stop()
		if _, err := Do(long, r, func(j *Job) (int, error) {
			if j.Wait(time.Minute) {
				t.Error("it waited to the end")
			}
			return 0, nil
		}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"Battery", "+12V rail", "a/b#+", "電池", "__x__", strings.Repeat("long ", 20)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, label string) {
		n := Name(label)
		if strings.Trim(n, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || strings.Contains(n, "__") ||
			strings.HasPrefix(n, "_") || strings.HasSuffix(n, "_") || len(n) > LongestName || Name(n) != n {
			t.Errorf("%q becomes %q", label, n)
		}
	})
}
