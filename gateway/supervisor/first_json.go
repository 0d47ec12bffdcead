package supervisor

import (
	"slices"
	"strings"

	"pithings/gateway"
)

// The JSON of 1.x has the four lists as get_tag_config returns them (manual of 1.x, callback of
// get_tag_config): the columns of the CSV files under other names.

// jsonKey is the key of a column: register_addr of Register Addr.
func jsonKey(column string) string {
	if column == "Ip/Serial" {
		return "ip"
	}
	return strings.ReplaceAll(strings.ToLower(column), " ", "_")
}

// columnOf is the column of a key. Keys that the CSV files have not stay as they are.
func (k *kind) columnOf(key string) string {
	for _, c := range k.columns {
		if jsonKey(c) == key {
			return c
		}
	}
	if key == "level" && k.list == "warning" {
		return "Level"
	}
	return key
}

// first reads the JSON of 1.x.
func (im *importer) first(r root) {
	for i := range kinds {
		k := &kinds[i]
		for _, it := range r.lists[k.list] {
			columns := row{}
			for key, raw := range it.object {
				clean, secrets := withoutSecrets(raw, it.at.key(key).path)
				im.secrets(it.at, secrets)
				c := k.columnOf(key)
				columns[c] = gateway.Column(clean)
				if columns[c] == `""` && slices.Contains(k.columns, c) || string(raw) == "null" {
					columns[c] = ""
				}
			}
			if err := k.add(im, it.at, columns); err != nil {
				im.add(it.at, "%w", err)
			}
		}
		delete(r.lists, k.list)
	}
	im.keep(r)
}
