package coordinator

import (
	"bytes"
	"context"
)

// Solo returns the group of a worker that is alone.
func Solo() Group { return solo{} }

type solo struct{}

func (solo) Rank() int { return 0 }
func (solo) Size() int { return 1 }

func (solo) AllGather(ctx context.Context, _ string, mine []byte) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return [][]byte{bytes.Clone(mine)}, nil
}
