package accepted

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// A broker goes the way of the settings: it is carried from revision to revision, comes back with
// those before a trial, and does not count over another file, or after a reset. No text shows it.
func TestConnections(t *testing.T) {
	dir, file := t.TempDir(), []byte("file")
	old, next := Connection{Endpoint: "mqtt://old", Password: "MARK-old"}, Connection{Endpoint: "mqtt://new", Password: "MARK-new"}
	put := func(r Revision) Revision {
		t.Helper()
		r, err := Put(dir, r)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := put(Revision{Base: Sum(file), From: "test"}.Connect(map[string]*Connection{"": &old, "door": &old}))
	over := first.Over(file)
	second, err := over.With("command", object(t, `{"log": {"level": "debug"}}`))
	if err != nil {
		t.Fatal(err)
	}
	second = second.Connect(map[string]*Connection{"": &next, "door": nil})
	second.Trial = true
	second = put(second)
	if !reflect.DeepEqual(second.Connections, map[string]Connection{"": next}) || !reflect.DeepEqual(first.Connections, map[string]Connection{"": old, "door": old}) {
		t.Error("the connections of the revisions are others")
	}
	info, err := os.Stat(File(dir, 2))
	if err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("%v, %v: others may read it", info, err)
	}
	back, err := Back(dir, &second, "no connection")
	if err != nil || !reflect.DeepEqual(back.Connections, first.Connections) || back.Empty() {
		t.Errorf("%v: those before do not come back", err)
	}
	read, err := Newest(dir)
	if err != nil || !reflect.DeepEqual(read.Connections, first.Connections) {
		t.Errorf("%v: they are not read as they were", err)
	}
	if other := read.Over([]byte("another")); !other.Empty() {
		t.Error("they count over another file")
	}
	if again := read.Over(file); again.Again("revert", &second).Connections[""] != next {
		t.Error("a return to a revision has another broker")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(verb, second); strings.Contains(text, "MARK") || strings.Contains(text, fmt.Sprintf("%x", "MARK")) {
			t.Errorf("%s shows %s", verb, text)
		}
	}
	if empty, err := Reset(dir, "config reset"); err != nil || !empty.Empty() {
		t.Errorf("%v: a reset leaves a broker", err)
	}
}
