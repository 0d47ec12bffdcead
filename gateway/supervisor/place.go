package supervisor

import (
	"errors"
	"fmt"
	"strings"
)

// place is where in a file something is.
type place struct {
	file string
	line int    // from 1; 0: the whole file
	path string // in JSON, such as measures[3]
}

func (p place) String() string {
	text := p.file
	if p.line > 0 {
		text += fmt.Sprintf(": line %d", p.line)
	}
	if p.path != "" {
		text += ": " + p.path
	}
	return text
}

// key is the place of a key of an object.
func (p place) key(name string) place {
	p.path = strings.TrimPrefix(p.path+"."+name, ".")
	return p
}

// maxProblems is how many problems an import lists.
const maxProblems = 20

// problems are what keeps files from being imported.
type problems struct {
	list []error
	more int
}

func (p *problems) add(at place, format string, args ...any) {
	if len(p.list) == maxProblems {
		p.more++
		return
	}
	p.list = append(p.list, fmt.Errorf("%v: %w", at, fmt.Errorf(format, args...)))
}

func (p *problems) err() error {
	all := p.list
	if p.more > 0 {
		all = append(all, fmt.Errorf("and %d more", p.more))
	}
	return errors.Join(all...)
}

// note is one line for a person, about something in a file.
func note(at place, format string, args ...any) string {
	return at.String() + ": " + fmt.Sprintf(format, args...)
}
