package cli

import (
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/trackable"
)

// graphJSON is the object graph as it is stored: a list of numbered nodes.
type graphJSON struct {
	Schema  int        `json:"schema"`
	Path    string     `json:"path"`
	Objects []nodeJSON `json:"objects"`
}

type nodeJSON struct {
	ID       int             `json:"id"`
	Path     string          `json:"path"`
	Children []edgeJSON      `json:"children,omitempty"`
	Tensors  []attributeJSON `json:"tensors,omitempty"`
	Slots    []slotJSON      `json:"slots,omitempty"`
	Saver    string          `json:"saver,omitempty"`
}

type edgeJSON struct {
	Name string `json:"name"`
	ID   int    `json:"id"`
}

type attributeJSON struct {
	Name     string  `json:"name"`
	FullName string  `json:"full_name,omitempty"`
	Key      string  `json:"key"`
	DType    string  `json:"dtype,omitempty"` // absent when the tensor is not stored
	Shape    []int64 `json:"shape,omitzero"`
}

type slotJSON struct {
	Name     string `json:"name"`
	Variable int    `json:"variable"`
	ID       int    `json:"id"`
}

func graphToJSON(path string, g *trackable.Graph, src format.Source) graphJSON {
	j := graphJSON{Schema: schema, Path: path}
	routes := findRoutes(g)
	for id, n := range g.Nodes {
		node := nodeJSON{ID: id, Path: routes.path(id), Saver: n.Saver}
		for _, c := range n.Children {
			node.Children = append(node.Children, edgeJSON{c.Name, c.Node})
		}
		for _, at := range n.Attributes {
			node.Tensors = append(node.Tensors, attributeToJSON(at, src))
		}
		for _, s := range n.Slots {
			node.Slots = append(node.Slots, slotJSON{s.Name, s.Variable, s.Node})
		}
		j.Objects = append(j.Objects, node)
	}
	return j
}

func attributeToJSON(at trackable.StoredTensor, src format.Source) attributeJSON {
	j := attributeJSON{Name: at.Name, FullName: at.FullName, Key: at.Key}
	if info, err := src.Info(at.Key); err == nil {
		j.DType, j.Shape = info.DType.String(), dims(info.Shape)
	}
	return j
}
