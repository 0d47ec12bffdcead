// Package tdm reads and writes the documents of AWS IoT Things Graph, the
// discontinued service whose flows pithings runs: device models, devices and
// services, workflows, systems and deployments, in the Things Graph Data Model's
// dialect of GraphQL.
//
//	documents, err := tdm.Read(tdm.File{Name: "flow.graphql", Text: text})
//
// The grammar is the one of the service's user guide and of what its console
// exported. Whatever is not understood is a [flow.Problem] with its place and with
// what to write instead; nothing is skipped but what only says where the console
// drew something (@position, @annotation).
//
// # Why a parser of its own
//
// The service's dialect is not GraphQL: its strings may stand in single quotes,
// one document holds types, enums and queries in one more pair of braces, blocks
// and parentheses may be empty, and keywords have any case; the guide prints its
// examples with every quote escaped. A parser of GraphQL
// (github.com/vektah/gqlparser was tried) refuses most of that, or reads the
// outer braces as a query of a field called "query", and to normalise a document
// beforehand takes a lexer that knows strings, comments and places: most of a
// parser. What is GraphQL is read as GraphQL means it.
//
// # Bounds
//
// A file has at most [MaxFile] bytes, a set [MaxFiles] files and 100 deployments,
// a block or list 1000 entries, and blocks nest at most 64 levels.
package tdm
