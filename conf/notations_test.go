package conf

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestNotationsReadBack(t *testing.T) {
	for _, text := range []string{"0s", "500ms", "3s", "1m", "1m30s", "1h", "1h0m3s", "24h"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != text {
			t.Errorf("%s is written %s (%v)", text, d, err)
		}
	}
	for _, text := range []string{"2/s", "80/s", "0.5/s", "30/min", "100/h", "1/h", "unlimited"} {
		var r, again Rate
		if err := r.UnmarshalText([]byte(text)); err != nil {
			t.Error(err)
		}
		if err := again.UnmarshalText([]byte(r.String())); err != nil || again != r {
			t.Errorf("%s is written %s, read as %v (%v)", text, r, float64(again), err)
		}
	}
	for _, text := range []string{"0", "1", "1000", "64KiB", "64MiB", "3GiB", "1TiB"} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b.String() != text {
			t.Errorf("%s is written %s (%v)", text, b, err)
		}
	}
}

// A secret is shown by no verb, and can be read where it is used.
func TestSecretsAreHidden(t *testing.T) {
	s := NewSecret("hush")
	text, err := s.MarshalText()
	shown := fmt.Sprintf("%v %s %q %#v %x %d", s, s, s, s, s, s) + string(text) + s.LogValue().String()
	if err != nil || strings.Contains(shown, "hush") || strings.Contains(shown, "68757368") || !strings.Contains(shown, "[set]") {
		t.Errorf("%s, %v", shown, err)
	}
	if s.Reveal() != "hush" || s.IsZero() || (Secret{}).String() != "" || !(Secret{}).IsZero() {
		t.Errorf("%q", s.Reveal())
	}
}

type parts struct {
	Name  string   `json:"name"`
	Every Duration `json:"every" default:"3s" min:"1s" max:"1m" jsonschema:"how often"`
	Mode  string   `json:"mode" default:"slow" enum:"slow,fast"`
	Inner struct {
		Count int `json:"count" default:"7" min:"1" max:"10"`
	} `json:"inner"`
	Skipped int `json:"-"`
}

func TestFieldsAndDefaults(t *testing.T) {
	var p parts
	Fill(&p)
	if p.Every.Duration != 3*time.Second || p.Mode != "slow" || p.Inner.Count != 7 {
		t.Errorf("%+v", p)
	}
	if got := strings.Join(Keys(Fields(&p)), " "); got != "name every mode inner" {
		t.Error(got)
	}
	for _, row := range []struct {
		key, text, want string
	}{
		{"every", "2s", ""},
		{"every", "2", "has no unit; write 2s or 2ms"},
		{"every", "2m", "out of range; from 1s to 1m"},
		{"mode", "fsat", `not one of slow, fast; did you mean "fast"?`},
		{"name", "a\x00", "control character U+0000"},
	} {
		for _, f := range Fields(&p) {
			if f.Key != row.key {
				continue
			}
			was := fmt.Sprint(f.Value.Interface())
			err := f.Set(row.text)
			switch {
			case row.want == "" && (err != nil || fmt.Sprint(f.Value.Interface()) != row.text):
				t.Errorf("%s %s: %v", row.key, row.text, err)
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("%s %s: %v, want %s", row.key, row.text, err, row.want)
			case row.want != "" && fmt.Sprint(f.Value.Interface()) != was:
				t.Errorf("%s %s is set although it is refused: %v", row.key, row.text, f.Value)
			}
		}
	}
}

// A key that is empty is as one that is not given, whatever the form of its value.
func TestEmptyIsNoFolder(t *testing.T) {
	var s struct {
		Folder string `json:"folder" form:"folder"`
	}
	f := Fields(&s)[0]
	if err := f.Set("srv"); err == nil {
		t.Error("a relative path is taken for a folder")
	}
	if err := f.Set("/srv"); err != nil || s.Folder != "/srv" {
		t.Errorf("%q, %v", s.Folder, err)
	}
	if err := f.Set(""); err != nil || s.Folder != "" {
		t.Errorf("%q, %v", s.Folder, err)
	}
}

func TestProblemsAreSortedAndBounded(t *testing.T) {
	var e Error
	if e.Err() != nil {
		t.Error("no problem is an error")
	}
	for i := 300; i > 0; i-- {
		e.Add(Problem{Source: "f", Line: i, Column: 1, Message: "bad"})
		e.Add(Problem{Source: "f", Line: i, Column: 1, Message: "bad"})
	}
	if n := e.Count(); !e.Full() || n < 300 {
		t.Errorf("%d, %v", n, e.Full())
	}
	lines := strings.Split(e.Err().Error(), "\n")
	if len(lines) != 11 || lines[0] != "f:101:1: bad" || !strings.HasPrefix(lines[10], "… and ") {
		t.Errorf("%q", lines)
	}
}
