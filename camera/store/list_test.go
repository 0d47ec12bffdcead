package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A list has what is kept, by the page, with who took it, also after a restart; what is removed
// or added between two pages moves nothing.
func TestList(t *testing.T) {
	dir := t.TempDir()
	d := newDisk(t, dir, Opts{MaxCount: 10})
	var names []string
	for i, thing := range []string{"eye", "back", "", "eye", "back"} {
		s := Store(d)
		if thing != "" {
			s = d.For(thing)
		}
		uri, err := s.Put(t.Context(), picture(i, 100+i), noon.Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, uri[strings.LastIndexByte(uri, '/')+1:])
	}
	show := func(thing, from string, most int) (list, next string) {
		t.Helper()
		p, err := d.List(thing, from, most)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range p.Pictures {
			i := one.Size - 100
			if one.Name != names[i] || !one.Time.Equal(noon.Add(time.Duration(i)*time.Second)) {
				t.Errorf("picture %d: %+v", i, one)
			}
			list += fmt.Sprintf("%d%s ", i, one.Thing)
		}
		return strings.TrimSpace(list), p.Next
	}
	for range 2 {
		if list, next := show("", "", 10); list != "4back 3eye 2 1back 0eye" || next != "" {
			t.Errorf("all: %s, %q", list, next)
		}
		if list, next := show("eye", "", 1); list != "3eye" {
			t.Errorf("the first of one: %s", list)
		} else if list, next = show("eye", next, 1); list != "0eye" || next != "" {
			t.Errorf("the second of one: %s, %q", list, next)
		}
		d = newDisk(t, dir, Opts{MaxCount: 10})
	}
	_, next := show("", "", 2)
	for _, i := range []int{2, 3} { // the one at which the next page begins, too
		if found, err := d.Remove(names[i]); !found || err != nil {
			t.Fatalf("remove: %v, %v", found, err)
		}
	}
	put(t, d, picture(9, 105), noon.Add(time.Hour))
	names = append(names, "")
	if list, next := show("", next, 2); list != "1back 0eye" || next != "" {
		t.Errorf("after a removal: %s, %q", list, next)
	}
	if found, err := d.Remove(names[2]); found || err != nil {
		t.Errorf("once more: %v, %v", found, err)
	}
	if n, bytes := d.Usage(); n != 4 || bytes != 100+101+104+105 {
		t.Errorf("%d pictures, %d bytes", n, bytes)
	}
	if _, err := os.Stat(filepath.Join(dir, names[2])); err == nil {
		t.Error("the file is still there")
	}
	for _, from := range []string{"x", "1", "-1", "x-" + names[0], "1-" + takersName} {
		if _, err := d.List("", from, 1); !errors.Is(err, ErrPlace) {
			t.Errorf("%q: %v", from, err)
		}
	}
}

// The list of takers does not grow with the pictures that were.
func TestTakersAreBounded(t *testing.T) {
	dir := t.TempDir()
	d := newDisk(t, dir, Opts{MaxCount: 2})
	for i := range 3 * takersMore {
		if _, err := d.For("eye").Put(t.Context(), picture(i, 4), noon); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, takersName))
	if n := strings.Count(string(text), "\n"); err != nil || n > takersMore+4 || n != d.noted {
		t.Errorf("%d lines, %d counted, %v", n, d.noted, err)
	}
	if p, err := newDisk(t, dir, Opts{MaxCount: 2}).List("eye", "", 9); err != nil || len(p.Pictures) != 2 {
		t.Errorf("%+v, %v", p, err)
	}
	// One that cannot be read costs the names only.
	if err := os.WriteFile(filepath.Join(dir, takersName), []byte("\x00 no list\nabc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := newDisk(t, dir, Opts{MaxCount: 2}).List("", "", 9); err != nil || len(p.Pictures) != 2 || p.Pictures[0].Thing != "" {
		t.Errorf("%+v, %v", p, err)
	}
}
