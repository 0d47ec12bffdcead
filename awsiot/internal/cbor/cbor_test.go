package cbor

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// The examples of RFC 8949 appendix A, as far as JSON can say them.
func TestExamples(t *testing.T) {
	for _, row := range []struct {
		hex  string
		want string
	}{
		{"00", `0`}, {"17", `23`}, {"1818", `24`}, {"1903e8", `1000`}, {"1a000f4240", `1000000`}, {"1bffffffffffffffff", `18446744073709551615`},
		{"20", `-1`}, {"3903e7", `-1000`}, {"f90000", `0`}, {"f93c00", `1`}, {"f93e00", `1.5`}, {"f97bff", `65504`}, {"f90001", `5.960464477539063e-08`}, {"f9c400", `-4`},
		{"fa47c35000", `100000`}, {"fb3ff199999999999a", `1.1`}, {"f4", `false`}, {"f5", `true`}, {"f6", `null`},
		{"60", `""`}, {"6449455446", `"IETF"`}, {"62c3bc", `"ü"`}, {"80", `[]`}, {"8301820203820405", `[1,[2,3],[4,5]]`},
		{"a0", `{}`}, {"a26161016162820203", `{"a":1,"b":[2,3]}`}, {"826161a161626163", `["a",{"b":"c"}]`},
	} {
		b, err := hex.DecodeString(row.hex)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b)
		var want any
		d := json.NewDecoder(strings.NewReader(row.want))
		d.UseNumber()
		if d.Decode(&want) != nil || err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v, want %s", row.hex, got, err, row.want)
		}
		if again, err := Encode(got); err != nil || !strings.HasPrefix(row.hex, "f9") && !strings.HasPrefix(row.hex, "fa") && !bytes.Equal(again, b) {
			t.Errorf("%s: written as %x, %v", row.hex, again, err)
		}
	}
	for _, bad := range []string{"", "18", "61", "8201", "a10102", "a26161016161 02", "9f01ff", "c11a514b67b0", "4101", "f97e00", "f7", "0000", "61ff", "9bffffffffffffffff", strings.Repeat("81", 20) + "00", "3bffffffffffffffff"} {
		b, _ := hex.DecodeString(strings.ReplaceAll(bad, " ", ""))
		if v, err := Decode(b); err == nil {
			t.Errorf("%s is %v", bad, v)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xa2\x61a\x01\x61b\x82\x02\x03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Decode(b)
		if err != nil {
			return
		}
		written, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(written)
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("%#v became %#v: %v", v, again, err)
		}
	})
}
