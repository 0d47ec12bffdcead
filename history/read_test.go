package history

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// ninety is a file with 90 days of a quantity.
var ninety = sync.OnceValue(func() *platter {
	p := newPlatter()
	s := newSeries(p)
	if err := s.open(begun); err != nil {
		panic(err)
	}
	for at := begun; at < begun+90*86400; at += 60 {
		s.add(at, wave(at))
		if err := s.flush(); err != nil {
			panic(err)
		}
	}
	if err := s.close(); err != nil {
		panic(err)
	}
	return p
})

// 90 days of a quantity: at most 3 reads of the file and 256 KiB of memory, wherever the ring
// goes round, with all hours and with the parts of a chart.
func TestCostOfReading(t *testing.T) {
	p := ninety()
	end := begun + 90*86400
	for _, points := range []int{DefaultPoints, 90 * 24, MaxPoints} {
		q := Query{From: time.Unix(begun, 0), To: time.Unix(end, 0), Points: points, Now: time.Unix(end, 0)}
		var before, after runtime.MemStats
		reads := p.reads
		runtime.GC()
		runtime.ReadMemStats(&before)
		f, err := openFile(p, fileName(temperature))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.WriteJSON(io.Discard, q); err != nil {
			t.Fatal(err)
		}
		f.Close()
		runtime.ReadMemStats(&after)
		reads = p.reads - reads
		t.Logf("%d points: %d reads, %d bytes allocated", points, reads, after.TotalAlloc-before.TotalAlloc)
		if allocated := after.TotalAlloc - before.TotalAlloc; reads > 3 || allocated > 256<<10 {
			t.Errorf("%d points: %d reads, %d bytes allocated", points, reads, allocated)
		}
	}
	for start := range int64(hourPlaces) { // 90 days from anywhere in the ring
		from := begun + start*layouts[hours].span()
		v := view{f: &handle{p: p, n: p.names[fileName(temperature)]}}
		reads := p.reads
		if err := v.scan(hours, from, from+90*86400, func(int64, sum, uint32) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if p.reads-reads > 2 { // and one for the head
			t.Errorf("from page %d on: %d reads", start, p.reads-reads)
		}
	}
}

// What an answer looks like.
func TestAnswers(t *testing.T) {
	p := newPlatter()
	s := newSeries(p)
	start := begun - begun%60
	for i, v := range []float64{20.1, 20.25, 19, -0.00001, 1234567.891} {
		if err := s.open(start); err != nil {
			t.Fatal(err)
		}
		s.add(start+int64(i)*3, v)
	}
	s.add(start+300, 5)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	f, err := openFile(p, s.name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	q := Query{From: time.Unix(start, 0), To: time.Unix(start+600, 0), Now: time.Unix(start+600, 0)}
	var text strings.Builder
	if err := f.WriteCSV(&text, q); err != nil {
		t.Fatal(err)
	}
	want := "time,min,mean,max,n\r\n2026-03-01T12:00:00Z,20.1,20.1,20.1,1\r\n2026-03-01T12:00:03Z,20.25,20.25,20.25,1\r\n" +
		"2026-03-01T12:00:06Z,19,19,19,1\r\n2026-03-01T12:00:09Z,0,0,0,1\r\n2026-03-01T12:00:12Z,1234567.85,1234567.85,1234567.85,1\r\n" +
		"2026-03-01T12:00:13Z,,,,0\r\n2026-03-01T12:05:00Z,5,5,5,1\r\n"
	if text.String() != want {
		t.Errorf("CSV\n%s\nwant\n%s", text.String(), want)
	}
	if rows, err := csv.NewReader(strings.NewReader(text.String())).ReadAll(); err != nil || len(rows) != 8 {
		t.Errorf("%d rows: %v", len(rows), err)
	}
	text.Reset()
	q.Points = 10
	if err := f.WriteJSON(&text, q); err != nil {
		t.Fatal(err)
	}
	wantJSON := `{"thing":"hall","quantity":"temperature","unit":"°C","tier":"minutes","step":60,"times":[1772366400,1772366460,1772366700],` +
		`"min":[0,null,5],"mean":[246925.4438,null,5],"max":[1234567.85,null,5]}` + "\n"
	if text.String() != wantJSON {
		t.Errorf("JSON\n%s\nwant\n%s", text.String(), wantJSON)
	}
}

func TestValues(t *testing.T) {
	for _, tc := range []struct {
		v         float64
		precision int
		want      string
	}{
		{0, 0, "0"}, {-0.00001, 2, "0"}, {math.Copysign(0, -1), 2, "0"}, {100, 0, "100"}, {21.5, 2, "21.5"}, {-21.25, 2, "-21.25"},
		{0.12345678, 6, "0.1234568"}, {1e15, 0, "1000000000000000"}, {10, 3, "10"}, {-10, 0, "-10"},
		{0.05, 2, "0.05"}, {-0.0001, 0, "-0.0001"}, {0.5, 0, "0.5"}, {1e300, 15, "1" + strings.Repeat("0", 300)}, {123456789.123456, 6, "123456789.123456"}, {9.99996, 0, "10"},
	} {
		if got := string(appendValue([]byte("-"), tc.v, decimals(tc.precision)))[1:]; got != tc.want {
			t.Errorf("%v is %s, want %s", tc.v, got, tc.want)
		}
	}
}

// A value is what strconv makes of it, but for zeros at its end.
func TestValuesAreThoseOfStrconv(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		d := decimals(r.IntN(16))
		v := math.Round((r.Float64()-0.5)*tens[r.IntN(12)]*tens[r.IntN(d+1)]) / tens[r.IntN(d+1)]
		got := string(appendValue(nil, v, d))
		back, err := strconv.ParseFloat(got, 64)
		if off := math.Abs(back - v); err != nil || off > 0.6/tens[d] && off > math.Abs(v)*1e-15 || strings.HasSuffix(got, ".") || strings.Contains(got, ".") && strings.HasSuffix(got, "0") {
			t.Fatalf("%v with %d decimal places is %s", v, d, got)
		}
	}
}

// Values that a float32 by itself cannot hold are kept as well as charts need them.
func TestPrecision(t *testing.T) {
	for _, tc := range []struct {
		name       string
		start      float64
		step, most float64
	}{
		{"an energy counter in kWh", 123456.789, 0.001, 1e-6},
		{"memory in bytes", 3_953_852_416, 4096, 1},
		{"a disk in bytes", 1_999_844_147_200, 65536, 32},
		{"pressure in hPa", 1013.25, 0.01, 1e-6},
		{"volts", 0.0001, 0.0001, 1e-8},
		{"the least and the most", -40, 0.1, 1e-4},
	} {
		p := newPlatter()
		s := newSeries(p)
		value := func(at int64) float64 { return tc.start + float64(at%1000)*tc.step }
		s.feed(t, begun, begun+3000, 3, value)
		got, _ := rowsOf(t, s, begun, begun+3000, 0)
		for _, r := range got {
			if off := math.Abs(r.Mean - value(r.Second)); off > tc.most {
				t.Errorf("%s: %v is %v off", tc.name, value(r.Second), off)
				break
			}
		}
	}
}

// Queries that cannot be answered are refused before anything is read.
func TestQueries(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(text string) time.Time {
		parsed, err := ParseTime(text, now, now)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		return parsed
	}
	for text, want := range map[string]string{"90m": "2026-11-30T10:30:00Z", "36h": "2026-11-29T00:00:00Z", "30d": "2026-10-31T12:00:00Z", "0d": "2026-11-30T12:00:00Z",
		"2026-11-01": "2026-11-01T00:00:00Z", "2026-11-01T10:00:00+01:00": "2026-11-01T09:00:00Z", "1796130960": "2026-12-01T13:16:00Z", "": "2026-11-30T12:00:00Z"} {
		if got := at(text).UTC().Format(time.RFC3339); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"yesterday", "-5m", "-1", "2026-13-01", "99999999999999", "d", "-3d", "99999999d", "1e300h"} {
		if got, err := ParseTime(text, now, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	for _, q := range []Query{
		{From: now, To: now}, {From: now, To: now.Add(-1)}, {From: time.Unix(-1, 0), To: now}, {From: now, To: time.Unix(latestSecond+1, 0)},
		{From: now.Add(-1), To: now, Points: MaxPoints + 1}, {From: now.Add(-1), To: now, Points: -1},
	} {
		if err := q.Check(); err == nil {
			t.Errorf("%+v is taken", q)
		}
	}
	whole := Query{From: time.Unix(0, 0), To: time.Unix(latestSecond, 0), Points: 1, Now: now}
	if err := whole.Check(); err != nil {
		t.Error(err)
	}
	f, err := openFile(ninety(), fileName(temperature))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var a Answer
	var text bytes.Buffer
	if err := errors.Join(f.WriteJSON(&text, whole), json.Unmarshal(text.Bytes(), &a)); err != nil {
		t.Error(err)
	}
}

// FuzzFile reads files that anything may have happened to. Nothing panics, what is found is in
// order and in the range, and a page with a wrong checksum gives nothing.
func FuzzFile(f *testing.F) {
	var good []byte
	for name, n := range ninety().names {
		if strings.HasSuffix(name, suffix) {
			good = n.data
		}
	}
	f.Add(uint32(0), uint32(1), false)
	f.Add(uint32(1), uint32(700_000), true)
	f.Fuzz(func(t *testing.T, seed, at uint32, mend bool) {
		r := rand.New(rand.NewPCG(uint64(seed), 3))
		data := slices.Clone(good)
		i := int(at) % len(data)
		n := min(r.IntN(200), len(data)-i)
		for j := range n {
			data[i+j] = byte(r.IntN(256))
		}
		if r.IntN(8) == 0 {
			data = data[:i]
		}
		first := i / pageSize
		if mend && (first+1)*pageSize <= len(data) { // with a good checksum: what is not checked by it
			p := pageOf(data, int64(first))
			if first == 0 {
				binary.LittleEndian.PutUint32(p[8:], crc32.Checksum(p[12:], castagnoli))
			} else {
				binary.LittleEndian.PutUint32(p[0:], crc32.Checksum(p[4:], castagnoli))
			}
		}
		p := newPlatter()
		p.put("x"+suffix, data)
		file, err := openFile(p, "x"+suffix)
		if err != nil {
			if first > 0 && len(data) >= pageSize {
				t.Fatalf("page %d is damaged: %v", first, err)
			}
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		for which := range tier(tierCount) {
			lay := layouts[which]
			from, to := begun+90*86400-lay.keep, begun+91*86400
			last := int64(-1)
			if err := file.view.scan(which, from, to, func(second int64, s sum, _ uint32) bool {
				if second <= last || second < from || second >= to || second%lay.step != 0 || s.n == 0 || !finite(s.mean) {
					t.Fatalf("%s: slot %d has %+v, behind %d", tierNames[which], second, s, last)
				}
				last = second
				if mend {
					return true
				}
				if which == raw && s.mean != good32(wave(second), s.mean) || second > begun+90*86400 || second < begun-3600 {
					t.Fatalf("%s: slot %d has %v, which was not measured", tierNames[which], second, s.mean)
				}
				return true
			}); err != nil {
				t.Fatal(err)
			}
		}
		q := Query{From: time.Unix(begun, 0), To: time.Unix(begun+91*86400, 0), Points: 700, Now: time.Unix(begun+91*86400, 0)}
		var a Answer
		var text bytes.Buffer
		if err := errors.Join(file.WriteJSON(&text, q), json.Unmarshal(text.Bytes(), &a), file.WriteCSV(io.Discard, q)); err != nil {
			t.Fatal(err)
		}
		if len(a.Times) != len(a.Min) || len(a.Times) != len(a.Mean) || len(a.Times) != len(a.Max) || len(a.Times) > 2*702 {
			t.Fatalf("columns of %d, %d, %d, %d", len(a.Times), len(a.Min), len(a.Mean), len(a.Max))
		}
		// The owner can work with it, too.
		s := newSeries(p)
		s.name = "x" + suffix
		if err := s.open(begun + 90*86400); err != nil {
			if _, ok := errors.AsType[*SetAsideError](err); !ok {
				t.Fatal(err)
			}
			return
		}
		s.add(begun+90*86400+60, 1)
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	})
}

// good32 is want if got is it but for rounding.
func good32(want, got float64) float64 {
	if math.Abs(want-got) < 1e-5 {
		return got
	}
	return want
}
