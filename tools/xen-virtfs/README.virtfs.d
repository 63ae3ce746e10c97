NAME.conf in this folder has the shares of the domain NAME, which it is given
when xl creates, restores or reboots it: one a line, in the words of

    xen-virtfs attach NAME tag=logs,path=/srv/logs,security_model=none

    # /etc/xen/virtfs.d/NAME.conf
    tag=logs,path=/srv/logs,security_model=none,readonly=on
    tag=data,path=/srv/data,security_model=none,protocol=virtfs

See "man xen-virtfs". The service is xen-virtfs.service; what it says is in
"journalctl -u xen-virtfs". A domain that runs already is given what is new in
its file by "xen-virtfs apply NAME".
