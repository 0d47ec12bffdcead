package builtin

import (
	"errors"
	"io/fs"
	"strings"
	"unicode/utf8"

	"pithings/gateway/script/internal/py"
)

// File is what open returns. It is read whole when it is opened, and written whole when it
// is closed, so that a script that ends in between leaves the file as it was.
type File struct {
	name   string
	data   []byte
	at     int
	read   bool
	write  bool
	binary bool
	closed bool
}

var fileType = py.NewType("TextIOWrapper", py.ObjectType)

// maxFile is how many bytes a script reads of a file.
const maxFile = 1 << 20

// Type is TextIOWrapper.
func (*File) Type() *py.Type { return fileType }

// Each counts the contents.
func (f *File) Each(func(py.Value)) int { return 96 + cap(f.data) }

// Iterate yields lines.
func (f *File) Iterate(m *py.Machine) func() (py.Value, bool) {
	return func() (py.Value, bool) {
		line := f.line(m)
		return f.text(line), len(line) > 0
	}
}

func open(m *py.Machine, a []py.Value) py.Value {
	f := &File{name: Text(m, a[0], "file name")}
	mode := "r"
	if Given(a[1]) {
		mode = Text(m, a[1], "mode")
	}
	f.binary = strings.Contains(mode, "b")
	plus := strings.Contains(mode, "+")
	kind := strings.Trim(mode, "bt+")
	f.read, f.write = kind == "r" || plus, kind != "r" || plus
	if len(kind) != 1 || !strings.Contains("rwax", kind) {
		py.Raise(m, py.ValueError, "invalid mode: '%s'", mode)
	}
	if m.Files == nil {
		fileError(m, errors.New("the script has no folder"), f.name)
	}
	data, err := m.Files.Read(f.name, maxFile)
	m.Alloc(96 + 2*len(data))
	exists := err == nil
	switch {
	case kind == "x" && exists:
		fileError(m, fs.ErrExist, f.name)
	case kind == "r" && !exists, err != nil && !errors.Is(err, fs.ErrNotExist):
		fileError(m, err, f.name)
	case kind == "r":
		f.data = data
	case kind == "a":
		f.data = data
		f.at = len(data)
	}
	if !f.binary && !utf8.Valid(f.data) {
		py.Raise(m, py.UnicodeDecodeError, "'utf-8' codec can't decode the bytes of %s: open it with mode 'rb'", f.name)
	}
	if kind != "r" {
		f.save(m) // it is there from now on, as in Python
	}
	return f
}

func (f *File) save(m *py.Machine) {
	if err := m.Files.Write(f.name, f.data); err != nil {
		fileError(m, err, f.name)
	}
}

func (f *File) check(m *py.Machine, ok bool, what string) {
	if f.closed {
		py.Raise(m, py.ValueError, "I/O operation on closed file.")
	}
	if !ok {
		py.Raise(m, py.OSError, "not %s", what)
	}
}

func (f *File) text(b []byte) py.Value {
	if f.binary {
		return py.Bytes(b)
	}
	return py.Str(b)
}

// line returns the next line with its end, or nothing at the end of the file.
func (f *File) line(m *py.Machine) []byte {
	f.check(m, f.read, "readable")
	m.Step()
	rest := f.data[min(f.at, len(f.data)):]
	n := len(rest)
	if i := strings.IndexByte(string(rest), '\n'); i >= 0 {
		n = i + 1
	}
	f.at += n
	m.Alloc(16 + n)
	return rest[:n]
}

func self(a []py.Value) *File { f, _ := a[0].(*File); return f }

var fileMethods = []def{
	{"read", "self size=", func(m *py.Machine, a []py.Value) py.Value {
		f := self(a)
		f.check(m, f.read, "readable")
		rest := f.data[min(f.at, len(f.data)):]
		n := len(rest)
		if size := OptionalInt(m, a[1], -1); size >= 0 && size < n {
			n = size
			for !f.binary && n < len(rest) && !utf8.RuneStart(rest[n]) {
				n++
			}
		}
		f.at += n
		m.Alloc(16 + n)
		return f.text(rest[:n])
	}},
	{"readline", "self", func(m *py.Machine, a []py.Value) py.Value { return self(a).text(self(a).line(m)) }},
	{"readlines", "self", func(m *py.Machine, a []py.Value) py.Value {
		l := &py.List{}
		for {
			line := self(a).line(m)
			if len(line) == 0 {
				return l
			}
			m.Alloc(32)
			l.Items = append(l.Items, self(a).text(line))
		}
	}},
	{"write", "self data", func(m *py.Machine, a []py.Value) py.Value {
		f := self(a)
		f.check(m, f.write, "writable")
		var s string
		n := 0
		if f.binary {
			b, ok := py.ToBytes(a[1])
			if !ok {
				py.Raise(m, py.TypeError, "a bytes-like object is required, not '%s'", a[1].Type().FullName())
			}
			s, n = b, len(b)
		} else {
			s = Text(m, a[1], "write() argument")
			n = utf8.RuneCountInString(s)
		}
		m.Alloc(2*len(s) + len(f.data)/16)
		f.data = append(f.data[:min(f.at, len(f.data))], s...)
		f.at = len(f.data)
		return py.Int(n)
	}},
	{"writelines", "self lines", func(m *py.Machine, a []py.Value) py.Value {
		f := self(a)
		f.check(m, f.write, "writable")
		l, ok := a[1].(*py.List)
		if !ok {
			py.Raise(m, py.TypeError, "writelines() wants a list")
		}
		for _, v := range l.Items {
			s := Text(m, v, "a line")
			m.Alloc(2 * len(s))
			f.data = append(f.data[:min(f.at, len(f.data))], s...)
			f.at = len(f.data)
		}
		return py.None
	}},
	{"seek", "self offset whence=", func(m *py.Machine, a []py.Value) py.Value {
		f := self(a)
		f.check(m, true, "")
		base := map[int]int{0: 0, 1: f.at, 2: len(f.data)}[OptionalInt(m, a[2], 0)]
		f.at = max(min(base+Integer(m, a[1]), len(f.data)), 0)
		return py.Int(f.at)
	}},
	{"tell", "self", func(m *py.Machine, a []py.Value) py.Value { return py.Int(self(a).at) }},
	{"flush", "self", func(m *py.Machine, a []py.Value) py.Value {
		if f := self(a); f.write {
			f.check(m, true, "")
			f.save(m)
		}
		return py.None
	}},
	{"close", "self", closeFile},
	{"__enter__", "self", func(m *py.Machine, a []py.Value) py.Value { return a[0] }},
	{"__exit__", "self type= value= traceback=", closeFile},
}

func closeFile(m *py.Machine, a []py.Value) py.Value {
	if f := self(a); !f.closed {
		if f.write {
			f.save(m)
		}
		f.closed = true
	}
	return py.None
}
