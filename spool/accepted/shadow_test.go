package accepted

import (
	"reflect"
	"testing"
)

// What a shadow has laid is carried from revision to revision, for as long as the settings have
// it; what they do not have any more was dropped, with the reason.
func TestShadowsInRevisions(t *testing.T) {
	dir, file := t.TempDir(), []byte("file")
	laid := object(t, `{"a": {"b": 1, "c": 2}, "things": {"t": {"x": "1s"}}}`)
	first, err := Put(dir, Revision{Base: Sum(file), From: "shadow", Settings: object(t, `{"a": {"b": 1, "c": 2}, "things": {"t": {"x": "1s"}}}`),
		Shadows: map[string]Shadow{"": {Laid: laid}}})
	if err != nil {
		t.Fatal(err)
	}
	dropped := func(r Revision, path ...string) string {
		for _, d := range r.Shadows[""].Dropped {
			if reflect.DeepEqual(d.Path, path) {
				return d.Why
			}
		}
		return ""
	}

	// Another who changes one value takes it from the shadow.
	over := first.Over(file)
	next, err := over.With("command", object(t, `{"a": {"b": 5}}`))
	if err != nil {
		t.Fatal(err)
	}
	if why := dropped(next, "a", "b"); why != "changed since by command" || !reflect.DeepEqual(next.Shadows[""].Laid, object(t, `{"a": {"c": 2}, "things": {"t": {"x": "1s"}}}`)) {
		t.Errorf("%q, %+v", why, next.Shadows)
	}
	if !reflect.DeepEqual(first.Shadows[""].Laid, laid) {
		t.Error("the revision before has changed")
	}
	// A trial that fails takes back what is new.
	next.Trial = true
	if next, err = Put(dir, next); err != nil {
		t.Fatal(err)
	}
	back, err := Back(dir, &next, "no connection with revision 2")
	if err != nil || dropped(back, "a", "b") != "changed since by command" || !reflect.DeepEqual(back.Shadows[""].Laid, next.Shadows[""].Laid) {
		t.Errorf("%v, %+v", err, back.Shadows)
	}
	trial := back
	trial.Settings, trial.Trial = object(t, `{"a": {"c": 2, "d": 7}, "things": {"t": {"x": "1s"}}}`), true
	trial.Shadows = map[string]Shadow{"": {Laid: object(t, `{"a": {"c": 2, "d": 7}}`)}}
	if trial, err = Put(dir, trial); err != nil {
		t.Fatal(err)
	}
	if back, err = Back(dir, &trial, "no connection with revision 4"); err != nil || dropped(back, "a", "d") != "taken back: no connection with revision 4" || dropped(back, "a", "c") != "" {
		t.Errorf("%v, %+v", err, back.Shadows)
	}
	// Another file and a reset take back all.
	if over := back.Over([]byte("other")); dropped(over, "a", "c") != whyFile || len(over.Settings) != 0 || over.Shadows[""].Laid != nil {
		t.Errorf("%+v", over)
	}
	empty, err := Reset(dir, "config reset")
	if err != nil || dropped(empty, "a", "c") != whyReset || dropped(empty, "a", "d") == "" {
		t.Errorf("%v, %+v", err, empty)
	}
	read, err := Newest(dir)
	if err != nil || !reflect.DeepEqual(read.Shadows, empty.Shadows) {
		t.Errorf("%v, %+v", err, read)
	}
}

// What was dropped stays so for as long as the same is desired.
func TestWant(t *testing.T) {
	s := Shadow{Dropped: []Dropped{{Path: []string{"a", "b"}, Value: 1.0, Why: "no connection"}, {Path: []string{"c"}, Value: "x", Why: "reset"}}}
	for _, x := range []struct {
		desired, rest string
		dropped       int
	}{
		{`{"a": {"b": 1}, "c": "x", "d": true}`, `{"d": true}`, 2},
		{`{"a": {"b": 1, "e": 2}, "c": "y"}`, `{"a": {"e": 2}, "c": "y"}`, 1},
		{`{"a": {"b": 2}}`, `{"a": {"b": 2}}`, 0},
		{`{"a": 1, "c": {"x": 1}}`, `{"a": 1, "c": {"x": 1}}`, 0},
		{`{}`, `{}`, 0},
	} {
		desired := object(t, x.desired)
		rest, dropped, why := s.Want(desired)
		if !reflect.DeepEqual(rest, object(t, x.rest)) || len(dropped) != x.dropped || len(why) != x.dropped || !reflect.DeepEqual(desired, object(t, x.desired)) {
			t.Errorf("%s: %v, %v, %v", x.desired, rest, dropped, why)
		}
	}
}

// Changes is what Merge makes of.
func TestChanges(t *testing.T) {
	for _, x := range [][3]string{
		{`{}`, `{"a": {"b": 1}}`, `{"a": {"b": 1}}`},
		{`{"a": {"b": 1, "c": 2}}`, `{"a": {"b": 1, "d": 3}}`, `{"a": {"c": null, "d": 3}}`},
		{`{"a": {"b": {"c": 1}}}`, `{}`, `{"a": {"b": {"c": null}}}`},
		{`{"a": [1]}`, `{"a": [2]}`, `{"a": [2]}`},
		{`{"a": 1}`, `{"a": 1}`, `{}`},
	} {
		before, after := object(t, x[0]), object(t, x[1])
		changes := Changes(before, after)
		if !reflect.DeepEqual(changes, object(t, x[2])) {
			t.Errorf("%s to %s: %v", x[0], x[1], changes)
		}
		merged, err := Merge(before, changes)
		if err != nil || !reflect.DeepEqual(merged, after) {
			t.Errorf("%s to %s: %v makes %v", x[0], x[1], changes, merged)
		}
	}
}
