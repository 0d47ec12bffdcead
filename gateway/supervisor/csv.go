package supervisor

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"pithings/conf/suggest"
	"pithings/gateway"
)

// csv reads one of the four files of 1.x.
func (im *importer) csv(name string, data []byte) {
	at := place{file: name}
	sep, data, before := separator(data)
	if line := openQuote(data, sep); line > 0 {
		at.line = line + before
		im.add(at, "a field begins with a quote and has none at its end, or another one within; close it, and write quotes within twice")
		return
	}
	reader := csv.NewReader(bytes.NewReader(data))
	reader.Comma, reader.FieldsPerRecord, reader.LazyQuotes = sep, -1, true
	header, err := reader.Read()
	if err != nil {
		at.line = 1 + before
		im.add(at, "%w", err)
		return
	}
	line, _ := reader.FieldPos(0)
	at.line = line + before
	k := im.header(at, header)
	if k == nil {
		return
	}
	for n := 0; ; n++ {
		fields, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			var wrong *csv.ParseError
			if errors.As(err, &wrong) {
				at.line, err = wrong.Line+before, wrong.Err
			}
			im.add(at, "%w", err)
			return
		}
		line, _ := reader.FieldPos(0)
		at.line = line + before
		if n == maxRows {
			im.add(at, "it has more than %d lines; split it", maxRows)
			return
		}
		for len(fields) > len(header) && fields[len(fields)-1] == "" {
			fields = fields[:len(fields)-1] // as spreadsheets write
		}
		if len(fields) > len(header) {
			im.add(at, "it has %d fields, and the first line %d; a field with a %q needs quotes", len(fields), len(header), string(sep))
			continue
		}
		if len(header) > 1 && !slices.ContainsFunc(fields, func(f string) bool { return f != "" }) {
			continue // an empty row of a spreadsheet
		}
		r := row{}
		for j, v := range fields {
			r[header[j]] = column(v)
		}
		if err := k.add(im, at, r); err != nil {
			im.add(at, "%w", err)
		}
	}
}

// openQuote returns the line of a field that begins with a quote and does not end so, in
// which all behind it would be; 0 if there is none.
func openQuote(data []byte, sep rune) int {
	strict := csv.NewReader(bytes.NewReader(data))
	strict.Comma, strict.FieldsPerRecord, strict.ReuseRecord = sep, -1, true
	for {
		_, err := strict.Read()
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, csv.ErrQuote) && errors.As(err, &wrong):
			return wrong.StartLine
		case errors.As(err, &wrong), err == nil: // a quote within a field is read as it stands
		default:
			return 0
		}
	}
}

// column is the column for a cell. Its text would be read as JSON of another kind if it began
// so.
func column(cell string) string {
	if cell != "" && strings.ContainsRune(`"[{`, rune(cell[0])) && gateway.IsJSON(cell) || strings.ContainsFunc(cell, gateway.Control) {
		return quoted(cell)
	}
	return cell
}

// header returns the kind of a file by its first line, whose names it puts into the spelling
// of the manual; nil if it is none.
func (im *importer) header(at place, header []string) *kind {
	var all []string
	for _, k := range kinds {
		all = append(all, k.columns...)
	}
	for i, name := range header {
		header[i] = spelled(strings.TrimSpace(name), all)
	}
	i := len(kinds) - 1 // warn.csv has the column Var Name, too
	for i >= 0 && !slices.Contains(header, kinds[i].name) {
		i--
	}
	if i < 0 {
		im.add(at, "it is none of device.csv, var.csv, group.csv and warn.csv: its first line has none of Device Name, Var Name, Group Name, Warn Name; export it again, and keep the first line")
		return nil
	}
	k := &kinds[i]
	for j, name := range header {
		switch {
		case name != "" && slices.Contains(header[:j], name):
			im.add(at, "the column %s is there twice; remove one", name)
		case name == "" || slices.Contains(k.columns, name):
		default:
			if near := suggest.Nearest(name, k.columns); near != "" && !slices.Contains(header, near) {
				im.note(at, "the column %q is kept for an export, and not used; did you mean %s?", name, near)
			}
		}
	}
	for _, name := range k.need {
		if !slices.Contains(header, name) {
			im.add(at, "it has no column %s, which %s needs", name, k.file)
		}
	}
	return k
}
