// One DHT node of libtorrent on loopback, to compare with:  LibtorrentNode [NEIGHBOUR-PORT]...
//
// Prints its port and ends when its standard input does. Its limits for each address are off, since all queries of a
// benchmark come from one address; so is all that would leave this machine.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/settings_pack.hpp>
#include <thread>
#include <unistd.h>

int main(int count, char **arguments) {
  lt::settings_pack settings;
  settings.set_str(lt::settings_pack::listen_interfaces, "127.0.0.1:0");
  settings.set_str(lt::settings_pack::dht_bootstrap_nodes, "");
  settings.set_int(lt::settings_pack::alert_mask, lt::alert_category::error);
  settings.set_int(lt::settings_pack::dht_block_ratelimit, 10'000'000);
  settings.set_int(lt::settings_pack::dht_block_timeout, 1);
  settings.set_int(lt::settings_pack::dht_upload_rate_limit, 2'000'000'000);
  settings.set_int(lt::settings_pack::dht_max_dht_items, 100'000);
  for (int off : {lt::settings_pack::enable_lsd, lt::settings_pack::enable_upnp, lt::settings_pack::enable_natpmp,
         lt::settings_pack::dht_restrict_routing_ips, lt::settings_pack::dht_restrict_search_ips,
         lt::settings_pack::dht_enforce_node_id, lt::settings_pack::dht_prefer_verified_node_ids,
         lt::settings_pack::dht_ignore_dark_internet}) {
    settings.set_bool(off, false);
  }
  lt::session session{lt::session_params(settings)};
  while (!session.is_dht_running() || session.listen_port() == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (int index = 1; index < count; index++) {
    session.add_dht_node({"127.0.0.1", std::atoi(arguments[index])});
  }
  std::printf("%d\n", session.listen_port());
  std::fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) {}
  std::_Exit(0);
}
