package script

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// fuzzLimits are small, so that a script found by chance is ended soon.
var fuzzLimits = Limits{Steps: 20_000, Memory: 1 << 20, Depth: 40, Time: 10 * time.Second}

// seedScripts adds all scripts of the tests to a corpus.
func seedScripts(f *testing.F) {
	for _, pattern := range []string{"testdata/scripts/*.py", "testdata/language/*.py"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(source))
		}
	}
	for seed := range uint64(5) {
		f.Add(generate(seed))
	}
	f.Add("x = f'{1!r:>{5}}' + \"\\x41\"\nfor i in (1, 2): pass\nclass A(dict): pass\n")
}

// FuzzCompile: no source makes the compiler panic, and a refusal names a line.
func FuzzCompile(f *testing.F) {
	seedScripts(f)
	f.Fuzz(func(t *testing.T, source string) {
		_, err := Compile("fuzz", source)
		var problem *Problem
		if err != nil && (!errors.As(err, &problem) || problem.Line < 1 || problem.Text == "") {
			t.Fatalf("refused with %v", err)
		}
	})
}

// FuzzRun: no script makes the interpreter panic, or takes more than its limits.
func FuzzRun(f *testing.F) {
	seedScripts(f)
	f.Fuzz(func(t *testing.T, source string) {
		p, err := Compile("fuzz", source)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		begin := time.Now()
		s, err := New(ctx, p, Options{Limits: fuzzLimits, Files: memoryFiles{}})
		var e *Error
		if errors.As(err, &e) && e.Kind == "InternalError" {
			t.Fatalf("%v\n%s", err, e.Traceback)
		}
		if errors.As(err, &e) && e.Kind != "time" && time.Since(begin) > 15*time.Second {
			t.Fatalf("took %v: %v", time.Since(begin), err)
		}
		if s != nil && s.Memory() > fuzzLimits.Memory+64<<10 {
			t.Fatalf("keeps %d bytes", s.Memory())
		}
	})
}

// FuzzJSON: what json.loads takes comes back the same from json.dumps.
func FuzzJSON(f *testing.F) {
	f.Add(`{"a": [1, -2.5e3, "\u00e4\ud83d\ude00", null, true], "b": {}}`)
	f.Add(`[NaN, Infinity, 123456789012345678901234567890]`)
	s, err := start(f, "import json\ndef again(v): return json.dumps(json.loads(json.dumps(v)))\n", Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := FromJSON([]byte(text))
		if err != nil {
			return
		}
		once, err := s.JSON(context.Background(), v)
		if err != nil {
			return // a limit
		}
		again, err := s.Call(context.Background(), "again", v)
		if err == nil && string(again.(Str)) != once {
			t.Fatalf("%s became %s", once, again)
		}
	})
}
