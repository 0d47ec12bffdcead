package accepted

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

func object(t *testing.T, text string) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMerge(t *testing.T) {
	for _, x := range [][3]string{
		{`{}`, `{"log": {"level": "debug"}}`, `{"log": {"level": "debug"}}`},
		{`{"log": {"level": "debug"}, "a": 1}`, `{"log": {"level": null}}`, `{"a": 1}`},
		{`{"a": {"b": 1, "c": 2}}`, `{"a": {"b": null, "d": [1, null]}}`, `{"a": {"c": 2, "d": [1, null]}}`},
		{`{"a": [1, 2]}`, `{"a": [3]}`, `{"a": [3]}`},
		{`{"a": 1}`, `{"a": {"b": 2}}`, `{"a": {"b": 2}}`},
		{`{"a": {"b": 2}}`, `{"a": 1}`, `{"a": 1}`},
		{`{"a": 1}`, `{"a": null, "b": null}`, `{}`},
		{`{}`, `{"a": {"b": {"c": null}}}`, `{}`},
	} {
		settings, changes := object(t, x[0]), object(t, x[1])
		got, err := Merge(settings, changes)
		if err != nil || !reflect.DeepEqual(got, object(t, x[2])) {
			t.Errorf("%s with %s: %v, %v", x[0], x[1], got, err)
		}
		if !reflect.DeepEqual(settings, object(t, x[0])) || !reflect.DeepEqual(changes, object(t, x[1])) {
			t.Errorf("%s with %s has changed what it was made of", x[0], x[1])
		}
	}
	if _, err := Merge(nil, object(t, strings.Repeat(`{"a": `, 20)+"1"+strings.Repeat("}", 20))); err == nil {
		t.Error("20 levels are merged")
	}
}

func TestRevisions(t *testing.T) {
	state := t.TempDir()
	if r, err := Newest(state); r != nil || err != nil {
		t.Fatal(r, err)
	}
	for i := range 14 {
		if _, err := Put(state, Revision{Base: Sum(nil), From: "test", Settings: map[string]any{"n": float64(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Newest(state)
	if err != nil || r.Number != 14 || r.Settings["n"] != 13.0 || r.From != "test" || r.Base != Sum(nil) || r.Time.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
	all, err := All(state)
	if err != nil || len(all) != Kept || all[Kept-1].Number != 5 {
		t.Errorf("%d revisions, %v", len(all), err)
	}

	// One that cannot be read is named, and one can be put behind it.
	if err := os.WriteFile(File(state, 15), []byte(`{"format": 1, "se`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Newest(state); err == nil || !strings.Contains(err.Error(), File(state, 15)) {
		t.Error(err)
	}
	if r, err := Put(state, Revision{}); err != nil || r.Number != 16 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := Newest(state); err != nil || len(r.Settings) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestTrial(t *testing.T) {
	state := t.TempDir()
	put := func(r Revision) Revision {
		t.Helper()
		r, err := Put(state, r)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	put(Revision{Base: "a", Settings: map[string]any{"n": 1.0}})
	first := put(Revision{Base: "b", Trial: true, Settings: map[string]any{"n": 2.0}})
	second := put(Revision{Base: "b", Trial: true, Settings: map[string]any{"n": 3.0}})
	if r, err := Back(state, &second, "rolled back"); err != nil || r.Base != "a" || r.Settings["n"] != 1.0 || r.From != "rolled back" || r.Trial {
		t.Errorf("%+v, %v", r, err)
	}
	if err := Confirm(state, first.Number); err != nil {
		t.Fatal(err)
	}
	if r, err := Back(state, &second, "rolled back"); err != nil || r.Base != "b" || r.Settings["n"] != 2.0 {
		t.Errorf("%+v, %v", r, err)
	}
	other := t.TempDir()
	only, err := Put(other, Revision{Trial: true, Base: "c", Settings: map[string]any{"n": 1.0}})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Back(other, &only, "rolled back"); err != nil || len(r.Settings) != 0 || r.Base != "c" {
		t.Errorf("%+v, %v", r, err)
	}
}

// What has become of a revision shows after a restart, too, and whatever followed it.
func TestOutcome(t *testing.T) {
	trial := Revision{Base: "a", Trial: true, Settings: map[string]any{"n": 1.0}}
	for name, tc := range map[string]struct {
		then func(t *testing.T, state string, r Revision) error
		over bool
		why  string // "": its settings stay
	}{
		"on trial":  {func(*testing.T, string, Revision) error { return nil }, false, ""},
		"confirmed": {func(_ *testing.T, state string, r Revision) error { return Confirm(state, r.Number) }, true, ""},
		"taken back": {func(_ *testing.T, state string, r Revision) error {
			_, err := Back(state, &r, "no connection")
			return err
		}, true, "the settings were taken back: no connection"},
		"confirmed, then taken back with a later one": {func(_ *testing.T, state string, r Revision) error {
			if err := Confirm(state, r.Number); err != nil {
				return err
			}
			later, err := Put(state, trial)
			if err == nil {
				_, err = Back(state, &later, "no connection")
			}
			return err
		}, true, ""},
		"on trial with a later one": {func(_ *testing.T, state string, _ Revision) error {
			_, err := Put(state, trial)
			return err
		}, false, ""},
		"confirmed with a later one": {func(_ *testing.T, state string, _ Revision) error {
			later, err := Put(state, trial)
			if err == nil {
				err = Confirm(state, later.Number)
			}
			return err
		}, true, ""},
		"taken back with a later one": {func(_ *testing.T, state string, _ Revision) error {
			later, err := Put(state, trial)
			if err == nil {
				_, err = Back(state, &later, "no connection")
			}
			return err
		}, true, "no connection"},
		"reset": {func(_ *testing.T, state string, _ Revision) error {
			_, err := Reset(state, "config reset")
			return err
		}, true, "config reset"},
		"taken back, and others accepted": {func(_ *testing.T, state string, r Revision) error {
			_, err := Back(state, &r, "no connection")
			for range 3 {
				if err == nil {
					_, err = Put(state, Revision{Base: "a"})
				}
			}
			return err
		}, true, "no connection"},
		"forgotten": {func(_ *testing.T, state string, _ Revision) error {
			for n := Kept; n > 0; n-- {
				if _, err := Put(state, trial); err != nil {
					return err
				}
			}
			_, err := Reset(state, "config reset")
			return err
		}, true, "config reset"},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			r, err := Put(state, trial)
			if err == nil {
				err = tc.then(t, state, r)
			}
			if err != nil {
				t.Fatal(err)
			}
			over, err := Outcome(state, r.Number)
			if over != tc.over || (err == nil) != (tc.why == "") || err != nil && !(errors.Is(err, ErrTakenBack) && strings.Contains(err.Error(), tc.why)) {
				t.Errorf("over %v, %v", over, err)
			}
		})
	}
	if over, err := Outcome(t.TempDir(), 7); !over || !errors.Is(err, ErrTakenBack) {
		t.Errorf("of none: over %v, %v", over, err)
	}
}

func TestTooLarge(t *testing.T) {
	state := t.TempDir()
	_, err := Put(state, Revision{Settings: map[string]any{"text": strings.Repeat("x", MaxSize)}})
	if err == nil || !strings.Contains(err.Error(), "65536") {
		t.Error(err)
	}
	if r, err := Newest(state); r != nil || err != nil {
		t.Error(r, err)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(`{"a": {"b": 1}}`), []byte(`{"a": {"b": null}, "c": [1]}`))
	f.Fuzz(func(t *testing.T, one, other []byte) {
		var settings, changes map[string]any
		if json.Unmarshal(one, &settings) != nil || json.Unmarshal(other, &changes) != nil {
			return
		}
		merged, err := Merge(settings, changes)
		if err != nil {
			return
		}
		again, err := Merge(merged, changes)
		if err != nil || !reflect.DeepEqual(merged, again) {
			t.Errorf("the same changes once more: %v, then %v, %v", merged, again, err)
		}
	})
}
