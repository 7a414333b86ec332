package trackable

import "strings"

// The parts of a key that are not names (trackable/trackable_utils.py). An
// escaped name holds no "/." by itself, so they cannot be confused with one.
const (
	attributesPart = "/.ATTRIBUTES/"
	slotPart       = "/.OPTIMIZER_SLOT/"
)

var (
	escaper   = strings.NewReplacer(".", "..", "/", ".S")
	unescaper = strings.NewReplacer("..", ".", ".S", "/")
)

// escape makes a name fit between the slashes of a key
// (trackable/trackable_utils.py, escape_local_name).
func escape(name string) string { return escaper.Replace(name) }

// unescape is the way back. A dot that escape never left is kept.
func unescape(name string) string { return unescaper.Replace(name) }

// tensorKey is the name a tensor is stored under. The attribute's name comes
// escaped, as the graph has it, and is escaped once more
// (trackable/trackable_utils.py, checkpoint_key).
func tensorKey(objectPath, escaped string) string {
	return objectPath + attributesPart + escape(escaped)
}

// slotPath is the object path of a slot (checkpoint/util.py).
func slotPath(variable, owner, name string) string {
	return variable + slotPart + owner + "/" + escape(name)
}
