package store

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Picture is a picture that is kept.
type Picture struct {
	Name  string    `json:"name"`
	Thing string    `json:"thing,omitempty"` // that took it, if that is known
	Time  time.Time `json:"time"`            // when it was taken; a little later if the clock was set back before
	Size  int64     `json:"size"`            // bytes
}

// Page is a part of the list of pictures.
type Page struct {
	Pictures []Picture `json:"pictures"`       // the newest first
	Next     string    `json:"next,omitempty"` // where the next page begins; "": there is none
}

// ErrPlace says that a place in the list is none that a [Page] had.
var ErrPlace = errors.New("this is no place in the list of pictures: take next of the page before")

// List returns at most so many pictures, the newest first, from a place that the page before
// had, or from the newest on if that is "". With a thing only those that it took are listed. Pictures that are
// removed meanwhile move no other to another page.
func (d *Disk) List(thing, from string, most int) (Page, error) {
	end, err := parsePlace(from)
	if err != nil {
		return Page{}, err
	}
	p := Page{Pictures: []Picture{}}
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, f := range slices.Backward(d.files) {
		if thing != "" && f.taker != thing || end != nil && f.compare(end) > 0 {
			continue
		}
		if len(p.Pictures) == most {
			p.Next = f.place()
			break
		}
		p.Pictures = append(p.Pictures, Picture{f.name, f.taker, f.time.UTC(), f.size})
	}
	return p, nil
}

// place is the place of a file in the list.
func (f *file) place() string { return strconv.FormatInt(f.time.UnixNano(), 10) + "-" + f.name }

// compare orders files as the list has them, backwards.
func (f *file) compare(g *file) int {
	return cmp.Or(f.time.Compare(g.time), strings.Compare(f.name, g.name))
}

func parsePlace(text string) (*file, error) {
	if text == "" {
		return nil, nil
	}
	i := strings.LastIndexByte(text, '-')
	if i < 0 || !IsName(text[i+1:]) {
		return nil, ErrPlace
	}
	nano, err := strconv.ParseInt(text[:i], 10, 64)
	if err != nil {
		return nil, ErrPlace
	}
	return &file{name: text[i+1:], time: time.Unix(0, nano)}, nil
}
