// Package conf makes a struct with tags a section of a configuration: a YAML file that
// is read strictly, and in which every mistake is reported with its line.
//
// The keys of a section, their defaults, ranges and meanings stand in one place, the tags
// of its struct:
//
//	json:"interval"          the key
//	default:"3s"             its value when the file does not give it
//	min:"1s" max:"24h"       the range, in the same notation
//	enum:"detected,both"     the only values
//	form:"network"           the form of a text or of each in a list: network, folder
//	required:"write …"       it has to be given; what to write if it is not, or true
//	expand:"path"            variables that it may have, see [Variables]
//	file:"credential"        it is a path, see [Report.Locate]
//	change:"local"           from where it may be changed, see [Change]
//	secret:"password"        the key with which it is changed, of change:"with_secret"
//	jsonschema:"…"           its meaning
//
// [Fields], [Leaves], [Fill], [Decoder], [Schema], [Values] and [Show] all follow these
// tags. What no single tag shows, such as a relation between keys, is for the program to
// check, which reports it by the decoder's [Report].
//
// A field is a bool, an int, a float64, a string, a type with UnmarshalText and MarshalText
// such as [Duration], [Size], [Bytes], [Rate] and [Secret] (which may be a [Schemer]), a
// list of strings or of structs, a map of strings, a struct with keys of its own, or a
// pointer to one, which is nil unless it is given. The keys of an embedded struct stand
// beside those of its own.
package conf
