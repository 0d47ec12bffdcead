package lib

import (
	"strconv"
	"strings"
	"time"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

// parsing reads a time by a format of strptime.
type parsing struct {
	m            *py.Machine
	text, format string
	at           int // in text
	n            map[byte]int
	pm, noon     bool
	zone         *timezone
}

// strptime returns the wall clock that a text shows, and its zone if the format has %z.
func strptime(m *py.Machine, text, format string) (time.Time, *timezone) {
	p := &parsing{m: m, text: text, format: format, n: map[byte]int{'Y': 1900, 'm': 1, 'd': 1}}
	m.Work((len(text) + len(format)) / 16)
	for i := 0; i < len(format); i++ {
		switch c := format[i]; {
		case c == '%' && i+1 < len(format):
			i++
			p.directive(format[i])
		case strings.IndexByte(" \t\n", c) >= 0:
			for p.at < len(text) && strings.IndexByte(" \t\n", text[p.at]) >= 0 {
				p.at++
			}
		case p.at < len(text) && text[p.at] == c:
			p.at++
		default:
			p.fail()
		}
	}
	if p.at < len(text) {
		py.Raise(m, py.ValueError, "unconverted data remains: %s", text[p.at:])
	}
	return p.time(), p.zone
}

func (p *parsing) fail() {
	py.Raise(p.m, py.ValueError, "time data %s does not match format %s", ops.Repr(p.m, py.Str(p.text)), ops.Repr(p.m, py.Str(p.format)))
}

// number reads between least and most digits, and a value between low and high.
func (p *parsing) number(least, most, low, high int) int {
	end := p.at
	for end < len(p.text) && end < p.at+most && p.text[end] >= '0' && p.text[end] <= '9' {
		end++
	}
	for ; end >= p.at+least && end > p.at; end-- { // a shorter number may fit
		if n, err := strconv.Atoi(p.text[p.at:end]); err == nil && n >= low && n <= high {
			p.at = end
			return n
		}
	}
	p.fail()
	return 0
}

// word reads one of a list of names, and returns its place.
func (p *parsing) word(names []string, letters int) int {
	rest := strings.ToLower(p.text[p.at:])
	for i, name := range names {
		if name = strings.ToLower(name); letters > 0 {
			name = name[:letters]
		}
		if strings.HasPrefix(rest, name) {
			p.at += len(name)
			return i
		}
	}
	p.fail()
	return 0
}

var (
	months = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	days   = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
)

func (p *parsing) directive(code byte) {
	switch code {
	case 'Y':
		p.n['Y'] = p.number(4, 4, 1, 9999)
	case 'y':
		y := p.number(2, 2, 0, 99)
		p.n['Y'] = 1900 + y
		if y < 69 {
			p.n['Y'] = 2000 + y
		}
	case 'm':
		p.n['m'] = p.number(1, 2, 1, 12)
	case 'd', 'e':
		p.n['d'] = p.number(1, 2, 1, 31)
	case 'H':
		p.n['H'] = p.number(1, 2, 0, 23)
	case 'I':
		p.n['H'] = p.number(1, 2, 1, 12) % 12
		p.noon = true
	case 'p':
		p.pm = p.word([]string{"am", "pm"}, 0) == 1
	case 'M':
		p.n['M'] = p.number(1, 2, 0, 59)
	case 'S':
		p.n['S'] = p.number(1, 2, 0, 61)
	case 'f':
		before := p.at
		n := p.number(1, 6, 0, 999999)
		for digits := p.at - before; digits < 6; digits++ {
			n *= 10
		}
		p.n['f'] = n
	case 'j':
		p.n['j'] = p.number(1, 3, 1, 366)
	case 'b', 'h':
		p.n['m'] = p.word(months, 3) + 1
	case 'B':
		p.n['m'] = p.word(months, 0) + 1
	case 'a':
		p.word(days, 3)
	case 'A':
		p.word(days, 0)
	case 'z':
		p.offset()
	case 'Z':
		p.word([]string{"UTC", "GMT"}, 0)
	case 'T':
		p.several("%H:%M:%S")
	case 'D':
		p.several("%m/%d/%y")
	case 'F':
		p.several("%Y-%m-%d")
	case '%':
		if p.at >= len(p.text) || p.text[p.at] != '%' {
			p.fail()
		}
		p.at++
	default:
		py.Raise(p.m, py.ValueError, "'%c' is a bad directive in format %s", code, ops.Repr(p.m, py.Str(p.format)))
	}
}

func (p *parsing) several(format string) {
	for i := 0; i < len(format); i++ {
		if format[i] == '%' {
			i++
			p.directive(format[i])
		} else if p.at < len(p.text) && p.text[p.at] == format[i] {
			p.at++
		} else {
			p.fail()
		}
	}
}

// offset reads Z, +hhmm, +hh:mm, or either with seconds.
func (p *parsing) offset() {
	if strings.HasPrefix(p.text[p.at:], "Z") {
		p.at++
		p.zone = utc
		return
	}
	if p.at >= len(p.text) || p.text[p.at] != '+' && p.text[p.at] != '-' {
		p.fail()
	}
	sign := int64(1)
	if p.text[p.at] == '-' {
		sign = -1
	}
	p.at++
	seconds := int64(p.number(2, 2, 0, 23)) * 3600
	colon := strings.HasPrefix(p.text[p.at:], ":")
	if colon {
		p.at++
	}
	seconds += int64(p.number(2, 2, 0, 59)) * 60
	if colon && strings.HasPrefix(p.text[p.at:], ":") {
		p.at++
		seconds += int64(p.number(2, 2, 0, 59))
	}
	p.zone = newZone(delta(sign*seconds*1e6), "")
}

func (p *parsing) time() time.Time {
	if p.noon && p.pm {
		p.n['H'] += 12
	}
	month, day := p.n['m'], p.n['d']
	if j := p.n['j']; j > 0 {
		month, day = 1, j
	} else if day > daysIn(p.n['Y'], month) {
		py.Raise(p.m, py.ValueError, "day is out of range for month")
	}
	return time.Date(p.n['Y'], time.Month(month), day, p.n['H'], p.n['M'], p.n['S'], p.n['f']*1000, time.UTC)
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month+1), 0, 0, 0, 0, 0, time.UTC).Day()
}
