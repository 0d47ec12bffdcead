package supervisor

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pithings/gateway"
	"pithings/gateway/collect"
)

// firstItem is an item of 1.x: what the settings have, and the columns that were kept.
type firstItem struct {
	own  row // texts
	kept map[string]string
}

// rows are the items of 1.x by the names of their lists.
func rows(s *gateway.Settings) map[string][]firstItem {
	all := map[string][]firstItem{}
	add := func(list string, own row, kept map[string]string) {
		all[list] = append(all[list], firstItem{own, gateway.Columns(kept)})
	}
	protocols := map[string]string{}
	for _, d := range s.Devices {
		protocols[d.Name] = d.Protocol
		add("devices", row{"Device Name": d.Name, "Protocol": d.Protocol}, d.Columns)
	}
	for _, v := range s.Variables {
		if v.Columns["Quotes"] == byAddress || variableName(&v) == "" {
			continue
		}
		mode := v.Mode
		if mode == collect.Never {
			mode = collect.Realtime // 1.x has no other
		}
		own := row{"Var Name": variableName(&v), "Device": v.Device, "Mode": mode, "Unit": v.Unit, "Desc": v.Desc, "Group": v.Group}
		if v.Columns["Protocol"] == "" {
			own["Protocol"] = protocols[v.Device]
		}
		add("vars", own, v.Columns)
	}
	for _, g := range s.Groups {
		own := row{"Group Name": g.Name, "Polling Interval": inSeconds(g.Polling), "Upload Interval": inSeconds(g.Upload), "Group Type": g.Type}
		if g.Type == collect.Alarms {
			own["Upload Interval"] = ""
		}
		add("groups", own, g.Columns)
	}
	for _, a := range s.Alarms {
		own := row{"Warn Name": a.Name, "Group": a.Group, "Device": a.Device, "Var Name": a.Variable, "Condition1": a.Condition1, "Operand1": a.Operand1,
			"Combine Method": a.Combine, "Condition2": a.Condition2, "Operand2": a.Operand2, "Alarm Content": a.Content}
		if a.Columns["Quotes"] == byAddress {
			own["Var Name"] = ""
		} else if a.Columns["Quotes"] == "" {
			own["Quotes"] = "1"
		}
		if a.Level != 1 {
			own["Level"] = fmt.Sprint(a.Level)
		}
		add("warning", own, a.Columns)
	}
	return all
}

// ExportCSV writes settings as the four files of 1.x. notes are what they cannot hold.
func ExportCSV(s *gateway.Settings) (files []File, notes []string, err error) {
	all := rows(s)
	for i := range kinds {
		k := &kinds[i]
		var table []row
		for _, item := range all[k.list] {
			r := row{}
			for column, value := range item.kept {
				r[column] = gateway.Text(value)
			}
			maps.Copy(r, item.own)
			table = append(table, r)
		}
		data, err := writeCSV(k.columns, table)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", k.file, err)
		}
		files = append(files, File{k.file, data})
	}
	notes = slices.Concat(lost(s, firstLacks), never(s), unnamed(s))
	if len(s.Columns) > 0 {
		notes = append(notes, fmt.Sprintf("what an import kept of %s is not exported: no CSV file has it", strings.Join(slices.Sorted(maps.Keys(s.Columns)), ", ")))
	}
	return files, notes, nil
}

func writeCSV(columns []string, rows []row) ([]byte, error) {
	columns = slices.Clone(columns)
	var more []string
	for _, r := range rows {
		for c := range r {
			if !slices.Contains(columns, c) && !slices.Contains(more, c) {
				more = append(more, c)
			}
		}
	}
	slices.Sort(more)
	columns = append(columns, more...)
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.Write(columns) // Error has it
	for _, r := range rows {
		line := make([]string, len(columns))
		for i, c := range columns {
			line[i] = r[c]
		}
		_ = w.Write(line)
	}
	w.Flush()
	return out.Bytes(), w.Error()
}

// ExportFirst writes settings as the JSON of 1.x. notes are what it cannot hold.
func ExportFirst(s *gateway.Settings) (data []byte, notes []string, err error) {
	all, doc := rows(s), object{}
	for section, column := range s.Columns {
		doc.put(section, column)
	}
	for i := range kinds {
		k := &kinds[i]
		list := []object{}
		for _, item := range all[k.list] {
			o := object{}
			for _, column := range k.shape {
				o[jsonKey(column)] = rawText("")
			}
			for column, value := range item.kept {
				o.put(jsonKey(column), value)
			}
			for column, value := range item.own {
				o[jsonKey(column)] = rawText(value)
				if numeric[column] && gateway.IsJSON(value) {
					o[jsonKey(column)] = json.RawMessage(value)
				}
			}
			list = append(list, o)
		}
		doc[k.list] = marshal(list)
	}
	data, err = indented(doc)
	return data, slices.Concat(lost(s, firstLacks), never(s), unnamed(s)), err
}

// never says which variables an export has in rounds.
func never(s *gateway.Settings) []string {
	var names []string
	for _, v := range s.Variables {
		if v.Mode == collect.Never && v.Columns["Quotes"] != byAddress {
			names = append(names, v.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("variables with mode never are exported as realtime: 1.x has no such mode (%s)", some(names))}
}

// variableName is the name that a variable has in a file; empty: it is every quantity of its
// device, whose names an export cannot see.
func variableName(v *collect.Variable) string { return cmp.Or(v.Name, v.Value) }

// unnamed says which variables an export leaves out.
func unnamed(s *gateway.Settings) []string {
	var devices []string
	for i := range s.Variables {
		if v := &s.Variables[i]; variableName(v) == "" {
			devices = append(devices, v.Device)
		}
	}
	if len(devices) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("variables without a name, which are every quantity of a device, are not exported: give each a name (%s)", some(devices))}
}

// numeric are the columns of ours that are numbers in the JSON of 1.x.
var numeric = map[string]bool{"Polling Interval": true, "Upload Interval": true, "Quotes": true, "Level": true}

// indented writes a document for people.
func indented(doc any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(doc)
	return out.Bytes(), err
}
