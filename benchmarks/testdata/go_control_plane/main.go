// go-control-plane's own server and cache, for benchmarks/client_xds.py to compare with. Each line on stdin is a
// DiscoveryResponse in base64, of one version: its resources are what is served from then on, to whoever asks.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"log"
	"net"
	"os"

	_ "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// alike are all nodes: one snapshot is for everybody.
type alike struct{}

func (alike) ID(*core.Node) string { return "everybody" }

func snapshot(line string) (*cache.Snapshot, error) {
	encoded, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return nil, err
	}
	told := &discovery.DiscoveryResponse{}
	if err := proto.Unmarshal(encoded, told); err != nil {
		return nil, err
	}
	resources := map[resource.Type][]types.Resource{}
	for _, each := range told.Resources {
		message, err := each.UnmarshalNew()
		if err != nil {
			return nil, err
		}
		resources[each.TypeUrl] = append(resources[each.TypeUrl], message)
	}
	made, err := cache.NewSnapshot("1", resources)
	if err == nil { // the endpoints alone are what changes: so the clients are told of nothing else
		made.Resources[types.Endpoint] = cache.NewResources(told.VersionInfo, resources[resource.EndpointType])
	}
	return made, err
}

func main() {
	snapshots := cache.NewSnapshotCache(true, alike{}, nil)
	served := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(served, server.NewServer(context.Background(), snapshots, nil))
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go served.Serve(on)
	fmt.Printf("Listening on %s, serving what stdin says\n", on.Addr())
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		made, err := snapshot(lines.Text())
		if err == nil {
			err = snapshots.SetSnapshot(context.Background(), alike{}.ID(nil), made)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}
