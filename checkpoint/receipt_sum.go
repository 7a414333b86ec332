package checkpoint

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

// A receipt's file ends with a checksum of itself,
//
//	  "crc32c": "5450aa43"
//	}
//
// the CRC-32C of the whole file with these eight digits taken as zeros. Those
// of schema 1 have none, and are read without. Who has changed a receipt by
// hand deletes the line and makes the schema 1: the next mark adds it again.

const (
	sumField = "crc32c"
	noSum    = "00000000"
	sumTail  = "\"\n}\n" // what follows the digits
	// sumSchema is the first schema whose receipts have a checksum.
	sumSchema = 2
)

// text returns what the receipt's file holds.
func (r Receipt) text() ([]byte, error) {
	r.Schema = max(r.Schema, receiptSchema)
	object, err := r.object()
	if err == nil {
		object, err = appendField(object, sumField, []byte(`"`+noSum+`"`))
	}
	if err == nil {
		object, err = indented(object)
	}
	if err != nil {
		return nil, fmt.Errorf("receipt of %s: %w", r.Path, err)
	}
	copy(sumDigits(object), sumOf(object))
	return object, nil
}

// sumDigits returns the part of a receipt's file that is for the checksum, nil
// if it does not end as one does.
func sumDigits(text []byte) []byte {
	before, ok := bytes.CutSuffix(text, []byte(sumTail))
	at := len(before) - len(noSum)
	if !ok || at < 0 || !bytes.HasSuffix(before[:at], []byte(`"`+sumField+`": "`)) {
		return nil
	}
	return before[at:]
}

// sumOf returns the digits that belong into a text that has some there already.
func sumOf(text []byte) string {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Checksum(text[:len(text)-len(noSum+sumTail)], table)
	return fmt.Sprintf("%08x", crc32.Update(sum, table, []byte(noSum+sumTail)))
}

// parseReceipt reads the text of a receipt's file called name.
func parseReceipt(name string, text []byte) (Receipt, error) {
	r, summed, err := decodeReceipt(text)
	if err != nil {
		return Receipt{}, flawed(name, "not a receipt: %v", err)
	}
	// Where one bit has made the schema 1, or the field's name another, the
	// other of the two still says that there is a checksum.
	if !summed && r.Schema < sumSchema {
		return r, nil
	}
	digits := sumDigits(text)
	if digits == nil {
		return Receipt{}, flawed(name, "does not end with its checksum, as one of schema %d does: damaged, or edited by hand", r.Schema)
	}
	// As text: digits in upper case are damage, too.
	if want := sumOf(text); string(digits) != want {
		return Receipt{}, flawed(name, "crc32c is %s, its last line says %s: damaged, or edited by hand", want, digits)
	}
	return r, nil
}
