rule claim:
    output:
        OUT + "/claims/{job}.json",
        timing=OUT + "/timings/claim/{job}.json",
    log:
        OUT + "/logs/claim/{job}.log",
    benchmark:
        OUT + "/benchmarks/claim/{job}.tsv"
    params:
        rests_on=lambda wildcards: PLAN.fingerprint("claim", wildcards.job),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    conda:
        "environment.yaml"
    shell:
        "{STAGE} claim --job {wildcards.job} > {log} 2>&1"
