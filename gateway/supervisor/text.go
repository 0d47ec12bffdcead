package supervisor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decoded returns the text of a file in UTF-8. Spreadsheets save UTF-16 with a mark at the
// beginning; other encodings cannot be recognised, and the error says how to
// convert them.
func decoded(data []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(data, []byte("\uFEFF")):
		data = data[3:]
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		return fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		return fromUTF16(data[2:], binary.BigEndian)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return nil, fmt.Errorf("it is a spreadsheet or an archive, and no text; save each sheet as CSV UTF-8")
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return nil, fmt.Errorf("line %d: it has a zero byte, as UTF-16 without a mark has; save it as UTF-8, or convert it: iconv -f UTF-16LE -t UTF-8", lineAt(data, i))
	}
	if !utf8.Valid(data) {
		at := 0
		for rest := data; ; {
			r, size := utf8.DecodeRune(rest)
			if r == utf8.RuneError && size == 1 {
				break
			}
			at, rest = at+size, rest[size:]
		}
		return nil, fmt.Errorf("line %d: it is not UTF-8; save it as CSV UTF-8, or convert it: iconv -f GB18030 -t UTF-8 (Chinese), -f WINDOWS-1252 (Western)", lineAt(data, at))
	}
	return data, nil
}

func fromUTF16(data []byte, order binary.ByteOrder) ([]byte, error) {
	if len(data)%2 != 0 {
		return nil, fmt.Errorf("it is UTF-16 with half a character at its end: part of it is missing; export it again")
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units))), nil
}

// lineAt is the line of an offset, from 1.
func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:min(offset, len(data))], []byte("\n"))
}

// separator finds what is between the columns of a CSV file: a comma, or what spreadsheets
// write in countries whose numbers have a comma. It takes away a line "sep=;", which
// spreadsheets write, too. lines is how many lines that were.
func separator(data []byte) (sep rune, rest []byte, lines int) {
	first, after, _ := bytes.Cut(data, []byte("\n"))
	head := strings.TrimSpace(string(first))
	if mark, ok := strings.CutPrefix(strings.ToLower(head), "sep="); ok && len(mark) == 1 {
		return rune(mark[0]), after, 1
	}
	sep = ','
	for _, other := range ";\t" {
		if !strings.ContainsRune(head, ',') && strings.ContainsRune(head, other) {
			sep = other
		}
	}
	return sep, data, 0
}
